/* Lets the browser make or use a passkey, and sends its answer in the form around the button.
   Without scripts, or in a browser that knows no passkeys, the buttons stay hidden. */

const isAble =
  window.PublicKeyCredential !== undefined &&
  PublicKeyCredential.parseCreationOptionsFromJSON !== undefined &&
  PublicKeyCredential.parseRequestOptionsFromJSON !== undefined;
let waiting;

async function options(form) {
  const answer = await fetch(form.dataset.options, {
    method: "POST",
    headers: { "X-CSRFToken": form.elements.csrf_token.value },
  });
  const content = await answer.json();
  if (content.code === "reauthentication_required") location.assign(form.dataset.confirm);
  if (!answer.ok) throw new Error(content.error);
  return content.publicKey;
}

async function ask(form, mediation) {
  waiting?.abort();
  waiting = new AbortController();
  const { signal } = waiting;
  const publicKey = await options(form);
  if (form.dataset.passkey === "create") {
    return navigator.credentials.create({
      publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey),
      signal,
    });
  }
  return navigator.credentials.get({
    publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey),
    mediation,
    signal,
  });
}

async function run(form, mediation) {
  const status = form.querySelector("[data-status]");
  try {
    const credential = await ask(form, mediation);
    form.elements.credential.value = JSON.stringify(credential.toJSON());
    if (form.elements.remember) form.elements.remember.value = document.getElementById("remember").checked ? "1" : "0";
    form.submit();
  } catch (error) {
    if (mediation === "conditional" || error.name === "AbortError") return;
    status.textContent =
      error.name === "NotAllowedError" || error instanceof DOMException ? status.dataset.refused : error.message;
    status.hidden = false;
  }
}

if (isAble) {
  for (const form of document.querySelectorAll("form[data-passkey]")) {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      run(form, "optional");
    });
    if (form.dataset.suggest !== undefined && (await PublicKeyCredential.isConditionalMediationAvailable?.())) {
      run(form, "conditional");
    }
  }
}
