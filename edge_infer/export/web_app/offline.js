// The service worker: keeps the app's files, so that it opens with no network, and tells of a newer version.
import { byId } from "./elements.js";
import { isSingleFile } from "./parts.js";

/** Shows how the app stands in #offline-state. */
export async function keepOffline() {
  if (isSingleFile()) return tell("ready", "One file: works offline");
  if (!("serviceWorker" in navigator)) {
    return tell("none", window.isSecureContext ? "This browser keeps no offline copy" : "An offline copy needs https");
  }
  try {
    const worker = globalThis.trustedTypes?.createPolicy("worker", { createScriptURL: () => "sw.js" });
    const registration = await navigator.serviceWorker.register(worker ? worker.createScriptURL("") : "sw.js");
    watchForUpdates(registration);
    await navigator.serviceWorker.ready;
    tell("ready", "Works offline");
  } catch (error) {
    tell("none", `No offline copy: ${error.message}`);
  }
}

function tell(state, text) {
  const place = byId("offline-state");
  place.dataset.state = state;
  place.textContent = text;
}

function watchForUpdates(registration) {
  const offer = () => {
    if (!registration.waiting || !navigator.serviceWorker.controller) return;
    byId("update").hidden = false;
    byId("update-now").onclick = () => {
      navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
      registration.waiting.postMessage("take over");
    };
  };
  offer();
  registration.addEventListener("updatefound", () => {
    registration.installing?.addEventListener("statechange", offer);
  });
}
