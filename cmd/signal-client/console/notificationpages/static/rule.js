// The form of a rule.

import { $, names, run, text, ticked } from "./form.js";

run("rule", () => {
  const kinds = [...ticked("kind"), ...(names("patterns") || [])];
  return {
    kinds: kinds.length ? kinds : undefined, instances: names("instances"), severity: $("severity").value,
    channels: ticked("channel"), cooldown: text("cooldown"), disabled: !$("enabled").checked,
  };
});
