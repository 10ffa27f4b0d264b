// What every page runs.
import * as time from "./time.js";
import { menu } from "./menu.js";

time.run();
for (const m of document.querySelectorAll(".menu")) menu(m);
