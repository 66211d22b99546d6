// The service worker keeps style and scripts at hand, says so when there is no net, and is told at night.
if (window.isSecureContext) navigator.serviceWorker?.register("/sw.js", { updateViaCache: "none" }).catch(() => {});
