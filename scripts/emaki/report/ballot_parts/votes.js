"use strict";
// Asks for one pair after another; what was said stays in this browser until it is saved as a file.
function vote(data) {
  const find = (id) => document.getElementById(id);
  const place = "emaki-votes-" + data.ballot;
  let state = { rater: "", votes: [] };
  try {
    const kept = JSON.parse(localStorage.getItem(place));
    if (kept && typeof kept.rater === "string" && Array.isArray(kept.votes)) state = kept;
    localStorage.setItem(place, JSON.stringify(state));
  } catch { find("kept").hidden = false; }
  if (!/^[0-9a-f]{8}$/.test(state.rater)) {
    const bytes = crypto.getRandomValues(new Uint8Array(4));
    state.rater = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  state.votes = state.votes.filter((said) => ["left", "right", "tie"].includes(said)).slice(0, data.pairs.length);

  const table = () => ["rater\tleft\tright\tvote", ...state.votes.map((said, n) =>
    [state.rater, data.pairs[n][1], data.pairs[n][2], said].join("\t"))].join("\n") + "\n";

  function show() {
    const done = state.votes.length, all = data.pairs.length;
    try { localStorage.setItem(place, JSON.stringify(state)); } catch { find("kept").hidden = false; }
    find("progress").textContent = done < all ? `Pair ${done + 1} of ${all}` : `All ${all} pairs`;
    find("bar").max = all;
    find("bar").value = done;
    find("ask").hidden = done === all;
    find("end").hidden = done < all;
    find("back").disabled = done === 0;
    find("save").disabled = done === 0;
    find("count").textContent = done === 1 ? "1 vote so far" : `${done} votes so far`;
    find("text").value = table();
    if (done === all) return;
    const [prompt, left, right] = data.pairs[done];
    find("prompt").textContent = prompt;
    find("left").firstChild.src = data.pictures[left];
    find("right").firstChild.src = data.pictures[right];
  }
  function say(said) {
    if (state.votes.length === data.pairs.length) return;
    state.votes.push(said);
    show();
  }
  function back() {
    state.votes.pop();
    show();
  }
  function save() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([table()], { type: "text/tab-separated-values" }));
    link.download = "votes.tsv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }
  const keys = { ArrowLeft: () => say("left"), ArrowRight: () => say("right"), ArrowDown: () => say("tie"), " ": () => say("tie"), Backspace: back };
  addEventListener("keydown", (event) => {
    const inText = event.target.closest && event.target.closest("textarea, summary, #about button");
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || inText) return;
    // a button that has the focus is pressed by the space bar
    if (event.key === " " && event.target.closest("button")) return;
    if (keys[event.key]) { event.preventDefault(); keys[event.key](); }
  });
  for (const side of ["left", "right", "tie"]) find(side).addEventListener("click", (event) => {
    if (event.detail) event.currentTarget.blur(); // it was not pressed by a key
    say(side);
  });
  find("back").addEventListener("click", back);
  find("again").addEventListener("click", back);
  find("save").addEventListener("click", save);
  show();
}
