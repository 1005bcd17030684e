// One decision, step by step; and the form that asks for one.
import { useEffect, useState } from "preact/hooks";

import { get, query } from "./api.js";
import { Problems, usePolled, useSettled, useSlash, Verdict } from "./common.jsx";
import { rule, shown, time } from "./text.js";

export function useExplanation(asked) {
  const path = asked && query("/api/explain", asked);
  const [state, setState] = useState({ path: "", answer: null, error: "" });
  useEffect(() => {
    if (!path) return undefined;
    const ended = new AbortController();
    get(path, ended.signal).then(
      (answer) => setState({ path, answer: answer.error ? null : answer, error: answer.error ?? "" }),
      (wrong) => ended.signal.aborted || setState({ path, answer: null, error: wrong.message }),
    );
    return () => ended.abort();
  }, [path]);
  return state.path === path ? state : { answer: null, error: "" };
}

function Side({ title, end, side }) {
  const decided = rule(side.rule);
  const others = side.isolated_by.filter((policy) => policy !== side.rule?.policy);
  return (
    <li>
      <strong>{title}</strong> {shown(end)}: <Verdict verdict={side.verdict} />
      {decided
        ? ` by ${decided}`
        : side.isolated
          ? " with no rule named"
          : ": no policy isolates it in this direction, so all is allowed"}
      {side.rule && side.rule.index < 0
        ? ". No rule of a policy that isolates it matches, so the default denial holds"
        : ""}
      {others.length > 0 ? `. These isolate it, too: ${others.map(shown).join(", ")}` : ""}.
    </li>
  );
}

function LearntName({ address, one }) {
  const pushed = one.source.startsWith("pushed");
  return (
    <li>
      {shown(address)} {one.lapsed ? "was" : "is"} <strong>{shown(one.name)}</strong>, learnt {time(one.learnt_ms)}
      {pushed ? ", " : " from "}
      {shown(one.source)}, until {time(one.until_ms)}
    </li>
  );
}

export function Explanation({ answer, error }) {
  if (error) return <Problems error={error} />;
  if (!answer) return <p class="quiet">…</p>;
  return (
    <div class="explanation">
      <p>
        <Verdict verdict={answer.verdict} reason={answer.reason} /> in generation {answer.generation}
      </p>
      {answer.exempt ? <p>Policy does not concern it: {shown(answer.exempt)}.</p> : null}
      <ol>
        <Side title="Egress of" end={answer.source} side={answer.egress} />
        <Side title="Ingress of" end={answer.destination} side={answer.ingress} />
      </ol>
      {answer.destination_names.length > 0 ? (
        <ul aria-label="Names">
          {answer.destination_names.map((one) => (
            <LearntName address={answer.destination} one={one} />
          ))}
        </ul>
      ) : null}
    </div>
  );
}

function End({ id, title, value, set, field }) {
  const text = useSettled(value);
  const { answer } = usePolled(query("/api/pods", { q: text }), 30000);
  return (
    <label>
      {title}
      <input ref={field} list={id} value={value} onInput={(event) => set(event.target.value)} placeholder="namespace/pod or address" required autocomplete="off" spellcheck={false} />
      <datalist id={id}>{(answer?.pods ?? []).map((pod) => <option value={pod} />)}</datalist>
    </label>
  );
}

// What the address asks, as a link from elsewhere has it.
function fromAddress() {
  const given = new URLSearchParams(location.hash.split("?")[1] ?? "");
  const of = (name, missing) => given.get(name) ?? missing;
  return { src: of("src", ""), dst: of("dst", ""), proto: of("proto", "tcp"), port: of("port", "80"), dataplane: of("dataplane", "0") };
}

export function ExplainForm({ dataplanes }) {
  const [form, setForm] = useState(fromAddress);
  const [asked, ask] = useState(() => (fromAddress().src ? fromAddress() : null));
  const field = useSlash();
  const set = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
  const explanation = useExplanation(asked);
  const hasPorts = ["tcp", "udp", "sctp"].includes(form.proto);
  return (
    <section aria-label="Explain">
      <form
        class="tools"
        onSubmit={(event) => {
          event.preventDefault();
          ask({ ...form, port: hasPorts ? form.port : "" });
        }}
      >
        <End id="sources" title="From" value={form.src} set={set("src")} field={field} />
        <End id="destinations" title="To" value={form.dst} set={set("dst")} />
        <label>
          Protocol
          <select value={form.proto} onChange={(event) => set("proto")(event.target.value)}>
            {[...new Set(["tcp", "udp", "sctp", "icmp", "icmpv6", form.proto])].map((name) => (
              <option value={name}>{name}</option>
            ))}
          </select>
        </label>
        <label>
          Port
          <input type="number" min={0} max={65535} value={form.port} disabled={!hasPorts} onInput={(event) => set("port")(event.target.value)} />
        </label>
        {dataplanes.length > 1 && (
          <label>
            Dataplane
            <select value={form.dataplane} onChange={(event) => set("dataplane")(event.target.value)}>
              {dataplanes.map((one, i) => (
                <option value={String(i)}>{shown(one.name)}</option>
              ))}
            </select>
          </label>
        )}
        <button type="submit">Explain</button>
      </form>
      {asked ? <Explanation {...explanation} /> : <p class="empty">Who wants to talk to whom? Names of pods complete themselves.</p>}
    </section>
  );
}
