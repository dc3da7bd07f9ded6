// Passkeys: `<form data-passkey="create" or "get" data-options="JSON">` asks the device first, and is sent with its answer.
(() => {
  const decode = { create: "parseCreationOptionsFromJSON", get: "parseRequestOptionsFromJSON" };
  const able = (verb) => Boolean(window.PublicKeyCredential?.[decode[verb]]);

  const say = (form, sentence) => {
    const place = form.querySelector("[data-passkey-wrong]");
    place.textContent = sentence;
    place.hidden = !sentence;
  };

  const ask = async (form) => {
    const verb = form.dataset.passkey;
    if (!able(verb)) {
      say(form, "This browser is too old for passkeys, or has them switched off. Take another way.");
      return;
    }
    say(form, "");
    const button = form.querySelector("button:not([type=button])");
    button.disabled = true;
    try {
      const publicKey = PublicKeyCredential[decode[verb]](JSON.parse(form.dataset.options));
      const made = await navigator.credentials[verb]({ publicKey });
      form.elements.answer.value = JSON.stringify(made.toJSON());
      form.submit(); // does not fire "submit" again
    } catch (error) {
      say(
        form,
        error.name === "InvalidStateError"
          ? "This device has a passkey for your account already."
          : "No passkey was given. Try again, or take another way.",
      );
    } finally {
      button.disabled = false;
    }
  };

  addEventListener("submit", (event) => {
    const form = event.target.closest?.("form[data-passkey]");
    if (!form || form.elements.answer.value) return;
    event.preventDefault();
    if (form.reportValidity()) ask(form);
  });
})();
