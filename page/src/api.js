// What the server answers. The token comes behind the # of the address, which no browser sends, and is kept for this tab.

const KEY = "sluice-token";

// Takes the token out of the address, so that it is in no screenshot and no bookmark.
export function takeToken() {
  const found = /^#token=([!-~]+)$/.exec(location.hash);
  if (!found) return;
  sessionStorage.setItem(KEY, found[1]);
  history.replaceState(null, "", location.pathname);
}

function ask(path, signal) {
  const token = sessionStorage.getItem(KEY);
  return fetch(path, { signal, cache: "no-store", headers: token ? { Authorization: `Bearer ${token}` } : {} });
}

async function failure(answer) {
  if (answer.status === 401) return "The token is missing or wrong: open the address again that was printed.";
  return (await answer.text()).slice(0, 300) || `the server answers ${answer.status}`;
}

export function query(path, values) {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of [value].flat()) if (one !== "") parameters.append(name, one);
  }
  return `${path}?${parameters}`;
}

export async function get(path, signal) {
  const answer = await ask(path, signal);
  if (!answer.ok) throw new Error(await failure(answer));
  return answer.json();
}

// Calls take(object) for each event of a stream, until it ends.
export async function follow(path, signal, take) {
  const answer = await ask(path, signal);
  if (!answer.ok) throw new Error(await failure(answer));
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const events = (rest + value).split("\n\n");
    rest = events.pop();
    take(events.filter((event) => event.startsWith("data: ")).map((event) => JSON.parse(event.slice(6))));
  }
}
