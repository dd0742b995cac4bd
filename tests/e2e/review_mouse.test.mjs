// The review pages by mouse, with our script and without any.

import { test } from "node:test";
import { clicks, reviewTen } from "./lib/review.mjs";

test("ten drafts by mouse", (t) => reviewTen(t, clicks));

test("ten drafts where JavaScript is off", (t) => reviewTen(t, clicks, { scripts: false }));
