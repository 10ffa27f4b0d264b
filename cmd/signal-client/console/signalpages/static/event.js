// An event's page: folding the tree, copying and downloading the exact bytes.

import { toast } from "../page/toast.js";
import { copy, save } from "./take.js";

const $ = (id) => document.getElementById(id);

function fold(open) { for (const d of document.querySelectorAll("#tree details")) d.open = open || d.parentElement.id === "tree"; }
$("unfold")?.addEventListener("click", () => fold(true));
$("fold")?.addEventListener("click", () => fold(false));

async function bytes(button) {
  const response = await fetch(button.dataset.url, { headers: { Accept: "application/octet-stream" }, credentials: "same-origin" });
  if (!response.ok) throw new Error(`the server answered ${response.status}`);
  return response.arrayBuffer();
}

$("copy-bytes")?.addEventListener("click", async (e) => {
  try {
    await copy(new TextDecoder().decode(await bytes(e.currentTarget)));
  } catch (error) { toast(`The bytes can't be read: ${error.message}`, "bad"); }
});
$("download-bytes")?.addEventListener("click", async (e) => {
  const button = e.currentTarget;
  try {
    save(new Blob([await bytes(button)], { type: "application/octet-stream" }), button.dataset.name);
  } catch (error) { toast(`The bytes can't be read: ${error.message}`, "bad"); }
});

// Back goes to the search that led here, as it was.
if (document.referrer && new URL(document.referrer).origin === location.origin && new URL(document.referrer).pathname === "/signals/search") {
  $("back").href = document.referrer;
  $("back").addEventListener("click", (e) => { e.preventDefault(); history.back(); });
}
addEventListener("keydown", (e) => {
  if (e.key === "/" && !e.ctrlKey && !e.metaKey && !e.target.closest("input, textarea")) {
    e.preventDefault();
    location.assign($("back").href);
  }
});
