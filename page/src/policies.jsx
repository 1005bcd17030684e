// Policies with their rules: how often each was hit, when last, and which never.
import { useState } from "preact/hooks";

import { query } from "./api.js";
import { Problems, usePolled, useSettled, useSlash } from "./common.jsx";
import { ago, count, short, shown } from "./text.js";

function Rule({ rule }) {
  const never = rule.packets === 0;
  const place = rule.index < 0 ? `${rule.direction} default` : `${rule.direction}[${rule.index}]`;
  return (
    <tr class={never && rule.index >= 0 ? "unused" : ""}>
      <td data-name="Rule">
        {place}
        {rule.name ? ` "${shown(rule.name)}"` : ""}
      </td>
      <td data-name="Says">{rule.action}</td>
      <td data-name="Peers">{shown(rule.peers)}</td>
      <td data-name="Ports">{shown(rule.ports)}</td>
      <td data-name="Packets" class="number">
        {never ? (rule.index < 0 ? "0" : "○ unused") : count(rule.packets)}
        {rule.covered_by === undefined ? null : (
          <span class="tag" title={rule.covered_now ? "Its selectors differ: a pod that comes may be its peer alone" : ""}>
            ◑ shadowed {rule.covered_now ? "now " : ""}by {rule.direction}[{rule.covered_by}]
          </span>
        )}
      </td>
      <td data-name="Bytes" class="number">
        {short(rule.bytes)}
      </td>
      <td data-name="Last hit">{ago(rule.last_hit_ms)}</td>
    </tr>
  );
}

function Policy({ policy }) {
  const hits = policy.rules.reduce((sum, rule) => sum + rule.packets, 0);
  const unused = policy.rules.filter((rule) => rule.packets === 0 && rule.index >= 0).length;
  const covered = policy.rules.filter((rule) => rule.covered_by !== undefined).length;
  const last = Math.max(0, ...policy.rules.map((rule) => rule.last_hit_ms));
  return (
    <details class="policy">
      <summary>
        <strong>{shown(policy.policy)}</strong>
        {policy.tier !== "NetworkPolicy" ? <span class="tag">{policy.tier} {policy.priority}</span> : null}
        {policy.held ? <span class="tag bad">✕ held back</span> : null}
        {policy.warnings.length > 0 ? <span class="tag">⚠ {policy.warnings.length} warnings</span> : null}
        {unused > 0 ? <span class="tag">○ {unused} unused</span> : null}
        {covered > 0 ? <span class="tag">◑ {covered} shadowed</span> : null}
        <span class="quiet">
          {" "}
          {policy.packets_per_second > 0 ? `${short(policy.packets_per_second)} packets/s; ` : ""}
          {short(hits)} packets, last {ago(last)}; {count(policy.selected)} {policy.selected === 1 ? "pod" : "pods"}
        </span>
      </summary>
      {policy.held ? <p>Held back by its sender: {shown(policy.held)}</p> : null}
      <Problems list={policy.warnings} />
      <p class="quiet">Subjects: {shown(policy.subjects)}</p>
      <table class="cards">
        <thead>
          <tr>
            <th>Rule</th>
            <th>Says</th>
            <th>Peers</th>
            <th>Ports</th>
            <th class="number">Packets</th>
            <th class="number">Bytes</th>
            <th>Last hit</th>
          </tr>
        </thead>
        <tbody>
          {policy.rules.map((rule) => (
            <Rule key={`${rule.direction}${rule.index}`} rule={rule} />
          ))}
        </tbody>
      </table>
      {policy.rules_not_shown > 0 ? <p class="quiet">{count(policy.rules_not_shown)} more rules</p> : null}
    </details>
  );
}

export function Policies() {
  const [text, setText] = useState("");
  const [show, setShow] = useState("all");
  const field = useSlash();
  const settled = useSettled(text);
  const { answer, error } = usePolled(query("/api/policies", { q: settled, show }), 3000);
  return (
    <section aria-label="Policies">
      <div class="tools">
        <input ref={field} type="search" placeholder="Name ( / )" aria-label="Name" value={text} onInput={(event) => setText(event.target.value)} />
        <label>
          Show
          <select value={show} onChange={(event) => setShow(event.target.value)}>
            <option value="all">all</option>
            <option value="hit">those that were hit</option>
            <option value="unused">those with unused rules</option>
            <option value="covered">those with shadowed rules</option>
          </select>
        </label>
        {answer ? (
          <span class="quiet">
            {count(answer.matching)} of {count(answer.total)}
            {answer.matching > answer.policies.length ? `, the first ${answer.policies.length} shown` : ""}
          </span>
        ) : null}
      </div>
      <Problems error={error} list={answer?.problems} />
      {answer && answer.policies.length === 0 ? <p class="empty">No policy matches.</p> : null}
      {(answer?.policies ?? []).map((policy) => (
        <Policy key={policy.policy} policy={policy} />
      ))}
    </section>
  );
}
