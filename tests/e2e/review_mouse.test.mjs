// The review pages by mouse: ten drafts, by clicking at what there is to see.

import { test } from "node:test";
import { clicks, reviewTen } from "./lib/review.mjs";

test("ten drafts by mouse", (t) => reviewTen(t, clicks));
