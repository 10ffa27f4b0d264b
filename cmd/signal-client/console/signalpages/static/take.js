// Taking a search's events away: as NDJSON or CSV, as a command, as curl.

import { count } from "../page/dom.js";
import { toast } from "../page/toast.js";
import { command, csvLine, curl } from "./formats.js";
import { everything, lines } from "./logs.js";
import { resolve } from "./range.js";

const most = 500000; // rows of a download, which the browser holds in memory

export class Take {
  /** get() is {state, columns}. */
  constructor(dialog, get) {
    this.dialog = dialog;
    this.get = get;
    const $ = (id) => dialog.querySelector("#" + id);
    this.state = $("take-state");
    this.stop = $("take-stop");
    this.what = $("take-what");
    this.texts = { command: $("take-command"), curl: $("take-curl"), link: $("take-link") };
    $("take-ndjson").addEventListener("click", () => this.download("ndjson"));
    $("take-csv").addEventListener("click", () => this.download("csv"));
    this.stop.addEventListener("click", () => this.controller?.abort());
    dialog.addEventListener("close", () => this.controller?.abort());
    for (const b of dialog.querySelectorAll("[data-copy]")) b.addEventListener("click", () => copy(dialog.querySelector("#" + b.dataset.copy).textContent));
  }

  open() {
    const { state } = this.get();
    this.range = resolve(state, Date.now());
    this.what.textContent = `All events of the search, at most ${count(most)}, in no particular order. NDJSON has all fields, CSV the columns of the table.`;
    this.texts.command.textContent = command(state);
    this.texts.curl.textContent = curl(state, this.range, location.origin);
    this.texts.link.textContent = location.href;
    this.state.textContent = "";
    this.dialog.showModal();
  }

  async download(kind) {
    this.controller?.abort();
    const controller = this.controller = new AbortController(), { state, columns } = this.get();
    this.stop.hidden = false;
    let n = 0, part = kind === "csv" ? csvLine(columns) : "";
    const blobs = [];
    try {
      for await (const row of lines(await everything(state.q, this.range, state.by, controller.signal))) {
        part += kind === "csv" ? csvLine(columns.map((c) => row[c] ?? "")) : JSON.stringify(row) + "\n";
        if (++n % 2000 === 0) {
          blobs.push(new Blob([part]));
          part = "";
          this.state.textContent = `${count(n)} events so far`;
        }
        if (n >= most) break;
      }
      blobs.push(new Blob([part]));
      save(new Blob(blobs, { type: kind === "csv" ? "text/csv" : "application/x-ndjson" }), `events.${kind}`);
      this.state.textContent = n >= most ? `The first ${count(n)} events that were found. For all of them use the command.` : `${count(n)} events`;
    } catch (e) {
      this.state.textContent = controller.signal.aborted ? "Stopped." : [e.message, e.remedy].filter(Boolean).join(". ");
    } finally {
      if (this.controller === controller) this.stop.hidden = true;
    }
  }
}

/** save offers a blob as a file. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

/** copy puts a text on the clipboard. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied", "ok");
  } catch { toast("The browser does not allow to copy here: select the text and copy it.", "bad"); }
}
