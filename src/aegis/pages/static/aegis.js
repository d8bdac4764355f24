/* Shows and hides passwords. Without scripts the buttons stay hidden and nothing else changes. */

function setShown(input, button, isShown) {
  input.type = isShown ? "text" : "password";
  button.setAttribute("aria-pressed", String(isShown));
}

for (const button of document.querySelectorAll("button[data-reveals]")) {
  const input = document.getElementById(button.dataset.reveals);
  if (!input) continue;
  button.hidden = false;
  button.addEventListener("click", () => setShown(input, button, input.type === "password"));
  // A field that is sent as plain text would be offered again as a suggestion to the next person.
  input.form?.addEventListener("submit", () => setShown(input, button, false));
}

/* A tab that waits for a code goes on when it was typed in another one: the page itself leads on then. */
const waiting = document.querySelector("[data-waits-for]");

async function goOnWhenDone() {
  if (document.hidden) return;
  const answer = await fetch(waiting.dataset.waitsFor, { redirect: "manual", headers: { Accept: "text/html" } });
  if (answer.type === "opaqueredirect") location.assign(waiting.dataset.waitsFor);
}

if (waiting) {
  document.addEventListener("visibilitychange", goOnWhenDone);
  setInterval(goOnWhenDone, 5000);
}
