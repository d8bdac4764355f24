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
