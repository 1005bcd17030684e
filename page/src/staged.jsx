// What staged policies would change: which connections they would have denied, and what they would have let pass.
import { useState } from "preact/hooks";

import { query } from "./api.js";
import { Problems, usePolled, useSettled, useSlash } from "./common.jsx";
import { ago, count, rule, short, shown } from "./text.js";

const nameOf = ({ namespace, workload }) => (namespace || workload ? shown(`${namespace}/${workload}`) : "outside");
const rules = (list) => (list.length > 0 ? list.map(rule).join("; ") : "no policy");

function Row({ row }) {
  const port = row.proto === "tcp" || row.proto === "udp" || row.proto === "sctp" ? ` ${row.port}` : "";
  return (
    <tr>
      <td data-name="Would be">
        <span class={row.would_allow ? "verdict good" : "verdict bad"}>{row.would_allow ? "✓ allowed" : "✕ denied"}</span>
      </td>
      <td data-name="From">{nameOf(row.from)}</td>
      <td data-name="To">{nameOf(row.to)}</td>
      <td data-name="Port">{row.proto + port}</td>
      <td data-name={row.would_allow ? "Packets" : "Connections"} class="number">
        {row.would_allow ? `${short(row.packets)} packets` : `${count(row.connections)} ${row.connections === 1 ? "connection" : "connections"}`}
      </td>
      <td data-name="Staged">{rules(row.staged)}</td>
      <td data-name="In force">{rules(row.in_force)}</td>
      <td data-name="Last">{ago(row.last_ms)}</td>
    </tr>
  );
}

function Summary({ answer }) {
  const { policies } = answer;
  return (
    <div class="tools">
      <span class="verdict bad">✕ {count(answer.would_deny)} connections would be denied</span>
      <span class="verdict good">✓ {count(answer.would_allow)} denied packets would be allowed</span>
      <span class="quiet">
        of {short(answer.judged)} judged since {ago(answer.since_ms)}, by {count(policies.length)} staged{" "}
        {policies.length === 1 ? "policy" : "policies"}:{" "}
        {policies.slice(0, 20).map((one) => `${shown(one.policy)}${one.deletes ? " (deleted)" : ""}`).join(", ")}
        {policies.length > 20 ? ", …" : ""}
      </span>
    </div>
  );
}

export function Staged() {
  const [text, setText] = useState("");
  const field = useSlash();
  const { answer, error } = usePolled(query("/api/staged", { q: useSettled(text) }), 5000);
  const isStaged = answer && answer.policies.length > 0;
  return (
    <section aria-label="Staged">
      <div class="tools">
        <input ref={field} type="search" placeholder="Name ( / )" aria-label="Name" value={text} onInput={(event) => setText(event.target.value)} />
        {isStaged ? (
          <span class="quiet">
            {count(answer.matching)} {answer.matching === 1 ? "pair" : "pairs"} of workloads and port
          </span>
        ) : null}
      </div>
      <Problems error={error} list={[...(answer?.problems ?? []), ...(answer?.refused ?? []).map((why) => `not judged by: ${why}`)]} />
      {answer && !isStaged ? <p class="empty">Nothing is staged.</p> : null}
      {isStaged ? <Summary answer={answer} /> : null}
      {isStaged && answer.rows.length === 0 ? <p class="empty">Nothing that was seen would be treated otherwise.</p> : null}
      {isStaged && answer.rows.length > 0 ? (
        <table class="cards words">
          <thead>
            <tr>
              <th>Would be</th>
              <th>From</th>
              <th>To</th>
              <th>Port</th>
              <th class="number">How often</th>
              <th>Staged</th>
              <th>In force</th>
              <th>Last</th>
            </tr>
          </thead>
          <tbody>
            {answer.rows.map((row) => (
              <Row key={JSON.stringify([row.would_allow, row.from, row.to, row.proto, row.port, row.staged, row.in_force])} row={row} />
            ))}
          </tbody>
        </table>
      ) : null}
      {answer?.matching > answer?.rows.length ? <p class="quiet">{count(answer.matching - answer.rows.length)} more are not shown.</p> : null}
      {answer?.not_kept > 0 ? <p class="quiet">{count(answer.not_kept)} more were judged otherwise, of more pairs than are told apart.</p> : null}
      {isStaged && answer.silent_count > 0 ? (
        <details>
          <summary>
            {count(answer.silent_count)} of {count(answer.pods)} pods took part in no connection: what they need is not known
          </summary>
          <p class="quiet">
            {answer.silent.map(shown).join(", ")}
            {answer.silent_count > answer.silent.length ? ", …" : ""}
          </p>
        </details>
      ) : null}
    </section>
  );
}
