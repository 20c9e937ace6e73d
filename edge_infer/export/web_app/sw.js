// Keeps every file of this export, each checked by its hash, and answers from what it keeps: with or without a network.
const FILES = __FILES__;
const SCOPE = self.registration.scope;
// Other apps of this host have caches too: a name of this one begins with its place.
const PREFIX = `edge-infer ${SCOPE} `;

/** The cache of exactly these files. */
async function cacheName() {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(FILES)));
  return PREFIX + Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function keepAll() {
  const cache = await caches.open(await cacheName());
  await cache.addAll(
    Object.entries(FILES).map(([name, integrity]) => new Request(name, { integrity, cache: "no-cache" })),
  );
}

async function dropOthers() {
  const current = await cacheName();
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith(PREFIX) && name !== current).map((name) => caches.delete(name)),
  );
  await self.clients.claim();
}

/** The name of a file of this export, or null. */
function nameOf(request) {
  const url = new URL(request.url);
  if (request.method !== "GET" || !url.href.startsWith(SCOPE)) return null;
  const path = url.origin + url.pathname;
  const name = path === SCOPE || path === `${SCOPE}index.html` ? "./" : path.slice(SCOPE.length);
  return Object.hasOwn(FILES, name) ? name : null;
}

async function kept(name, request) {
  const cache = await caches.open(await cacheName());
  return (await cache.match(new URL(name, SCOPE))) ?? fetch(request);
}

self.addEventListener("install", (event) => event.waitUntil(keepAll()));
self.addEventListener("activate", (event) => event.waitUntil(dropOthers()));
self.addEventListener("message", (event) => event.data === "take over" && self.skipWaiting());
self.addEventListener("fetch", (event) => {
  const name = nameOf(event.request);
  if (name !== null) event.respondWith(kept(name, event.request));
});
