// The review pages without our script: ten drafts, by links and forms alone.

import { test } from "node:test";
import { clicks, reviewTen } from "./lib/review.mjs";

test("ten drafts where JavaScript is off", (t) => reviewTen(t, clicks, { scripts: false }));
