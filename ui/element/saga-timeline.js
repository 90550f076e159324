/* <saga-timeline> of OrderSaga, MIT license. Built by `make ui` from e02d81159f70bb421914202ab4ef3b44f09ef5c15c0fb2f47b26e8947e306485 */
// src/timeline/words.ts
var e = [
	["d", 86400],
	["h", 3600],
	["min", 60],
	["s", 1]
];
function t(e) {
	let t = typeof e == "string" ? Date.parse(e) : NaN;
	return Number.isNaN(t) ? void 0 : t;
}
function n(t) {
	let n = Math.max(0, Math.floor(t / 1e3)), r = e.findIndex(([e, t]) => n >= t || e === "s"), [i, a] = e[r] ?? e[3], o = Math.floor(n / a), s = e[r + 1];
	return (i === "d" || i === "h") && o < 10 && s && n % a >= s[1] ? `${o} ${i} ${Math.floor(n % a / s[1])} ${s[0]}` : `${o} ${i}`;
}
var r = (e) => e < 1e3 ? "< 1 s" : n(e), i = (e) => e < 1e3 ? "+0 s" : `+${n(e)}`, a = (e, t, n = `${t}s`) => `${e.toLocaleString("en")} ${e === 1 ? t : n}`, o = [
	"order",
	"inventory",
	"payment",
	"shipping",
	"confirmation",
	"notification"
], s = "confirmation", c = {
	Succeeded: "done",
	Compensated: "done",
	CompensationFailed: "done",
	Refused: "refused",
	Unknown: "unknown",
	Skipped: "left-out"
}, l = {
	done: "done",
	refused: "refused",
	unknown: "no answer: it may have happened",
	"not-yet": "not called",
	now: "called now, or next",
	"left-out": "left out",
	stuck: "could not be undone: a person has to decide",
	nothing: "there was nothing to undo",
	undoing: "being undone",
	blank: ""
}, u = (e, t) => t && e === "done" ? "undone" : l[e];
function d(e) {
	let n = e.status ?? {}, r = n.steps?.length ? n.steps : o.map((e) => ({
		name: e,
		state: "Pending"
	})), i = n.phase === "Completed" || n.phase === "Compensated";
	return {
		columns: r.map((t) => ({
			name: t.name,
			externalID: t.externalID ?? "",
			isCurrent: !i && t.name === n.currentStep,
			do: f(t, !1, g(t, e, i), p(t)),
			undo: f(t, !0, _(t, e, i), m(t))
		})),
		pivot: r.findIndex((e) => e.name === s),
		hasUndo: n.failure !== void 0 || r.some((e) => e.compensation !== void 0),
		origin: t(n.startTime) ?? t(e.metadata?.creationTimestamp) ?? 0,
		again: t(n.nextAttemptTime),
		waiting: t(n.waitingSince)
	};
}
function f(e, n, r, i) {
	let a = n ? e.compensation : e, o = t(a?.startTime), s = t(a?.completionTime), c = a?.attempts ?? 0, l = (e.history ?? []).filter((e) => e.operation === "undo" === n).map((e) => ({
		at: t(e.time),
		outcome: e.outcome ?? "",
		reason: e.reason ?? "",
		ms: e.milliseconds,
		recorded: !0
	}));
	!l.length && c && l.push({
		at: o,
		outcome: i,
		reason: a?.reason ?? "",
		ms: void 0,
		recorded: !1
	});
	let u = [a?.reason, a?.message].filter(Boolean).join(": ");
	return {
		sign: r,
		state: i,
		dots: l,
		times: c || l.length,
		began: o,
		ended: s,
		why: u
	};
}
function p(e) {
	let t = e.state ?? "Pending";
	return !e.startTime && t !== "Pending" ? "Not called" : e.compensation && [
		"Compensated",
		"CompensationFailed",
		"Skipped"
	].includes(t) ? e.completionTime ? "Succeeded" : "Unknown" : t;
}
var m = (e) => e.compensation ? h(e) ? "Failed" : e.compensation.completionTime ? "Undone" : "Undoing" : "", h = (e) => e.state === "CompensationFailed";
function g(e, t, n) {
	let r = e.state ?? "Pending";
	return !t.status?.failure && !n && e.name === t.status?.currentStep && r === "Pending" ? "now" : t.status?.failure && [
		"Compensated",
		"CompensationFailed",
		"Skipped"
	].includes(r) ? e.completionTime || e.externalID ? "done" : e.startTime ? "unknown" : "not-yet" : c[r] ?? "not-yet";
}
function _(e, t, n) {
	return h(e) ? "stuck" : e.compensation?.completionTime ? e.state === "Skipped" ? "nothing" : "done" : e.state === "Compensated" ? "done" : t.status?.failure && e.name === t.status.currentStep && !n ? "undoing" : "blank";
}
function v(e) {
	let t = e.flatMap(({ sign: e }, t) => e === "not-yet" || e === "blank" ? [] : [t]), [n, r] = [t[0], t.at(-1)];
	return n === void 0 || r === void 0 ? void 0 : [n, r];
}
// src/timeline/style.ts
var y = "\n:host { display: block; container-type: inline-size; color: var(--saga-text, #1b2430); font: 13px/1.4 system-ui, sans-serif;\n  --good: var(--saga-good, #1a7f4b); --busy: var(--saga-busy, #0b67b2); --warn: var(--saga-warn, #94610a);\n  --bad: var(--saga-bad, #c02b2b); --dim: var(--saga-dim, #5b6675); --line: var(--saga-line, #c5ccd6);\n  --paper: var(--saga-paper, #fff); }\n@media (prefers-color-scheme: dark) { :host { color: var(--saga-text, #e4e9f0);\n  --good: var(--saga-good, #4fc58a); --busy: var(--saga-busy, #63b3f5); --warn: var(--saga-warn, #e2b04a);\n  --bad: var(--saga-bad, #ff8077); --dim: var(--saga-dim, #9aa6b5); --line: var(--saga-line, #3d4856);\n  --paper: var(--saga-paper, #161b22); } }\nsvg { display: block; width: 100%; height: auto; overflow: visible; }\ntext { fill: currentColor; font-size: 13px; }\n.small { font-size: 11.5px; fill: var(--dim); font-variant-numeric: tabular-nums; }\n.name { font-weight: 600; } .name.idle { fill: var(--dim); font-weight: 500; }\n.small.due { fill: var(--busy); } .small.bad { fill: var(--bad); }\n.way { stroke: var(--line); stroke-width: 2; fill: none; } .arrow { fill: var(--line); }\n.pivot { stroke: var(--dim); stroke-width: 1.5; stroke-dasharray: 3 4; }\n.done { --ink: var(--good); } .now, .undoing { --ink: var(--busy); } .refused, .stuck { --ink: var(--bad); }\n.unknown, .left-out { --ink: var(--warn); } .nothing, .not-yet { --ink: var(--dim); }\n.mark circle.ring { fill: var(--paper); stroke: var(--ink); stroke-width: 2; }\n.mark.stuck circle.ring, .mark.done circle.ring, .mark.refused circle.ring { fill: var(--ink); }\n.mark path { fill: none; stroke: var(--ink); stroke-width: 2.2; stroke-linecap: round; stroke-linejoin: round; }\n.mark.done path, .mark.stuck path, .mark.refused path { stroke: var(--paper); }\n.mark.now path, .mark.undoing path { fill: var(--ink); }\n.mark.not-yet circle.ring { stroke-width: 1.5; stroke-dasharray: 2 3; }\n.mark text { fill: var(--ink); font-weight: 700; text-anchor: middle; }\n.dot circle.seen { fill: var(--ink); } .dot.whole circle.seen { fill: none; stroke: var(--ink); stroke-width: 1.5; }\n.hit { fill: transparent; }\n[tabindex] { cursor: default; outline: none; } .focus { fill: none; stroke: none; }\n[tabindex]:focus-visible .focus { stroke: var(--busy); stroke-width: 2; } [tabindex]:hover .focus { stroke: var(--dim); }\n.pulse { fill: none; stroke: var(--ink); stroke-width: 2; opacity: .6; }\n@media (prefers-reduced-motion: no-preference) { .pulse { animation: pulse 1.8s ease-out infinite; transform-box: fill-box;\n  transform-origin: center; } @keyframes pulse { from { transform: scale(.8); opacity: .8 } to { transform: scale(1.5); opacity: 0 } } }\n.detail { min-height: 1.4em; margin: 8px 0 0; color: var(--dim); overflow-wrap: anywhere; }\n.detail b { color: currentColor; font-weight: 600; }\nth { position: relative; }\ntable { border-collapse: collapse; width: 100%; margin-top: 8px; font-size: 12.5px; }\nth, td { text-align: left; padding: 4px 16px 4px 0; border-top: 1px solid var(--line); vertical-align: top; white-space: nowrap; }\ntd.why { white-space: normal; overflow-wrap: anywhere; width: 99%; }\nthead th { border: 0; color: var(--dim); font-weight: 500; } tbody th { font-weight: 600; }\ntr.try td, tr.try th { color: var(--dim); border: 0; padding-block: 1px; }\ntd.number { font-variant-numeric: tabular-nums; } tr td.what { color: var(--ink); }\n:host([show=picture]) .table, :host([show=table]) .picture, :host([show=table]) .detail { display: none; }\n:host(:not([show])) .table, .unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }\n.table { overflow-x: auto; }\n@container (max-width: 560px) { table, tbody { display: block; } thead { position: absolute; clip-path: inset(50%); } .none { display: none; }\n  tr { display: flex; flex-wrap: wrap; gap: 0 10px; padding: 4px 0; border-top: 1px solid var(--line); } tr.try { border: 0; padding: 0 0 2px 12px; }\n  th, td { border: 0; padding: 0; } th { min-width: 0; } td.why { flex-basis: 100%; color: var(--dim); } tr.try td.why { flex: 1 0 auto; width: auto; } }\n", b = 620, x = 12, S = {
	done: "M-5 0.5 L-1.5 4 L5 -4",
	refused: "M-4 -4 L4 4 M4 -4 L-4 4",
	stuck: "M-4 -4 L4 4 M4 -4 L-4 4",
	now: "M-2.5 -4.5 L4.5 0 L-2.5 4.5 Z",
	undoing: "M2.5 -4.5 L-4.5 0 L2.5 4.5 Z",
	"left-out": "M-4.5 0 L4.5 0",
	nothing: "M-3.5 0 a3.5 3.5 0 1 0 7 0 a3.5 3.5 0 1 0 -7 0"
}, C = class extends HTMLElement {
	#e;
	#t = Date.now();
	#n = [];
	#r = "";
	#i = "";
	#a = this.attachShadow({ mode: "open" });
	#o = P("div", { class: "picture" });
	#s = P("p", {
		class: "detail",
		"aria-live": "polite"
	});
	#c = P("div", {
		class: "table",
		tabindex: 0,
		role: "region",
		"aria-label": "Every attempt"
	});
	#l = new ResizeObserver(() => this.#u());
	constructor() {
		super();
		let e = new CSSStyleSheet();
		e.replaceSync(y), this.#a.adoptedStyleSheets = [e], this.#a.append(this.#o, this.#s, this.#c), this.#o.addEventListener("keydown", (e) => this.#v(e));
		for (let e of ["focusin", "pointerover"]) this.#o.addEventListener(e, (e) => this.#y(e.target));
		this.#o.addEventListener("pointerleave", () => this.#y(this.#a.activeElement)), this.#o.addEventListener("focusout", () => {
			this.#i = "", this.#y(null);
		});
	}
	get saga() {
		return this.#e;
	}
	set saga(e) {
		this.#e = e, this.#r = "", this.#u();
	}
	get now() {
		return this.#t;
	}
	set now(e) {
		this.#t = typeof e == "number" ? e : t(e) ?? this.#t;
		for (let e of this.#n) e();
	}
	connectedCallback() {
		this.#l.observe(this), this.#u();
	}
	disconnectedCallback() {
		this.#l.disconnect();
	}
	#u() {
		if (!this.#e || !this.isConnected) return;
		let e = this.clientWidth === 0 || this.clientWidth >= b, t = `${e} ${e ? 0 : this.clientWidth}`;
		if (t === this.#r) return;
		this.#r = t, this.#n = [];
		let n = d(this.#e), r = this.#i, i = this.getAttribute("show");
		if (i !== "picture" && this.#c.replaceChildren(this.#h(n)), i === "table") return;
		this.#o.replaceChildren(this.#d(n, w(n, e, this.clientWidth)));
		let a = this.#_(), o = a.find((e) => e.dataset.key === r);
		(o ?? a[0])?.setAttribute("tabindex", "0"), o ? o.focus() : this.#y(null);
	}
	#d(e, t) {
		let { columns: n } = e, r = [];
		e.pivot > 0 && r.push(...E(e, t));
		for (let i of e.hasUndo ? [!1, !0] : [!1]) {
			let e = v(n.map((e) => i ? e.undo : e.do));
			e && r.push(...T(n, e, i, t));
		}
		n.forEach((n, i) => {
			let [a, o] = t.mark(i, !1), s = n.do.sign === "not-yet" && !n.isCurrent ? " idle" : "";
			r.push(t.isFlat ? N("text", {
				class: `name${s}`,
				x: a,
				y: o - 24,
				"text-anchor": "middle"
			}, n.name) : N("text", {
				class: `name${s}`,
				x: 0,
				y: o + 5
			}, n.name)), r.push(...this.#f(e, n, !1, t, i)), e.hasUndo && n.undo.sign !== "blank" && r.push(...this.#f(e, n, !0, t, i));
		});
		let i = `Order ${this.#e?.metadata?.name ?? ""}, ${this.#e?.status?.phase ?? "Pending"}: its steps`;
		return N("svg", {
			viewBox: `0 0 ${t.width} ${t.height}`,
			role: "group",
			"aria-label": i
		}, ...r);
	}
	*#f(e, t, n, r, i) {
		let a = n ? t.undo : t.do, [o, s] = r.mark(i, n), c = a.sign === "now" || a.sign === "undoing", l = S[a.sign], d = `${t.name}${n ? ", undo" : ""}: ${u(a.sign, n)}`, f = [t.externalID && !n ? `as ${t.externalID}` : "", a.why].filter(Boolean).join(". ");
		yield N("g", {
			class: `mark ${a.sign}`,
			...A(`${i}${n}`, f ? `${d}. ${f}` : d),
			transform: `translate(${o} ${s})`
		}, ...c ? [N("circle", {
			class: "pulse",
			r: 15
		})] : [], N("circle", {
			class: "focus",
			r: 16
		}), N("circle", {
			class: "ring",
			r: x
		}), ...l ? [N("path", { d: l })] : a.sign === "unknown" ? [N("text", { y: 5 }, "?")] : []);
		let [p, m] = r.isFlat ? [o - (a.dots.length - 1) * 5.5, s + 26] : [o + x + 12, s - 6];
		for (let [r, o] of a.dots.entries()) yield N("g", {
			class: `dot ${O(o)}${o.recorded ? "" : " whole"}`,
			transform: `translate(${p + r * 11} ${m})`,
			...A(`${i}${n}${r}`, this.#m(e, t, a, n, r))
		}, N("circle", {
			class: "hit",
			r: 9
		}), N("circle", {
			class: "focus",
			r: 6
		}), N("circle", {
			class: "seen",
			r: 3.5
		}));
		let h = r.isFlat ? {
			x: o,
			y: s + 46,
			"text-anchor": "middle"
		} : {
			x: o + x + 8,
			y: s + 12
		}, g = N("text", {
			class: `small${a.sign === "stuck" ? " bad" : ""}`,
			...h
		}), _ = N("text", {
			class: "small due",
			...h,
			y: h.y + 15
		});
		this.#g(() => {
			g.textContent = D(a, this.#t, r.isFlat), _.textContent = t.isCurrent && (n || a.sign === "now") ? this.#p(e) : "";
		}), yield g, yield _;
	}
	#p({ again: e, waiting: t }) {
		return this.#e?.status?.phase === "Suspended" ? "suspended" : t === void 0 ? e === void 0 ? "" : e <= this.#t ? "again now" : `again in ${n(e - this.#t)}` : `waits, ${n(this.#t - t)}`;
	}
	#m(e, t, n, r, o) {
		let s = n.dots[o], c = Math.max(n.times, n.dots.length), l = s.recorded ? `attempt ${c - n.dots.length + o + 1} of ${c}` : a(c, "attempt"), u = `${t.name}${r ? ", undo" : ""}, ${l}`, d = s.reason && s.reason !== s.outcome ? ` (${s.reason})` : "", f = s.ms === void 0 ? "" : `, after ${s.ms} ms`, p = s.at === void 0 ? "" : `, ${i(s.at - e.origin)}, ${new Date(s.at).toLocaleTimeString()}`;
		return `${u}: ${s.outcome}${d}${f}${p}`;
	}
	#h({ columns: e, origin: t }) {
		let n = [
			"Step",
			"Way",
			"State",
			"Began",
			"Took",
			"Tries",
			"Why"
		], a = [];
		for (let n of e) for (let [e, o] of [[!1, n.do], [!0, n.undo]]) {
			if (e && !o.state) continue;
			let s = o.began === void 0 ? "" : i(o.began - t), c = e ? {
				Undone: "done",
				Failed: "stuck",
				Undoing: "undoing"
			}[o.state] ?? "" : k(o.state);
			a.push(j("", e ? "" : n.name, n.name, c, e ? "undo" : "do", o.state, s, o.ended === void 0 || o.began === void 0 ? "" : r(o.ended - o.began), String(o.times || ""), o.why));
			for (let e of o.dots.filter((e) => e.recorded)) {
				let r = e.at === void 0 ? "" : i(e.at - t);
				a.push(j("try", "", n.name, O(e), "", e.outcome, r, `${e.ms ?? 0} ms`, "", e.reason));
			}
		}
		return P("table", {
			role: "table",
			"aria-label": "Every step, and each attempt that is recorded"
		}, P("thead", { role: "rowgroup" }, P("tr", { role: "row" }, ...n.map((e) => P("th", {
			scope: "col",
			role: "columnheader"
		}, e)))), P("tbody", { role: "rowgroup" }, ...a));
	}
	#g(e) {
		this.#n.push(e), e();
	}
	#_() {
		return [...this.#o.querySelectorAll("[data-key]")];
	}
	#v(e) {
		let t = this.#_(), n = t.indexOf(this.#a.activeElement), r = {
			ArrowRight: n + 1,
			ArrowDown: n + 1,
			ArrowLeft: n - 1,
			ArrowUp: n - 1,
			Home: 0,
			End: t.length - 1
		}[e.key], i = r === void 0 ? void 0 : t[r];
		!i || n < 0 || (e.preventDefault(), t[n]?.setAttribute("tabindex", "-1"), i.setAttribute("tabindex", "0"), i.focus());
	}
	#y(e) {
		let t = e instanceof Element ? e.closest("[data-key]") : null;
		t && t === this.#a.activeElement && (this.#i = t.dataset.key ?? "");
		let [n = "", ...r] = (t?.getAttribute("aria-label") ?? "").split(": ");
		this.#s.replaceChildren(...t ? [P("b", {}, n), `: ${r.join(": ")}`] : ["Each dot is an attempt. Point at one, or walk with the arrow keys."]);
	}
};
function w(e, t, n) {
	let r = e.columns.length;
	if (t) return {
		isFlat: t,
		width: r * 160,
		height: e.hasUndo ? 218 : 122,
		mark: (e, t) => [(e + .5) * 160, t ? 140 : 46]
	};
	let i = 98 + (n - 98) * .46;
	return {
		isFlat: t,
		width: n,
		height: r * 58 + 8,
		mark: (e, t) => [(t ? i : 98) + x, (e + .5) * 58]
	};
}
function* T(e, [t, n], r, i) {
	let a = (t) => r && e[t]?.undo.sign === "blank";
	for (let e = t; e < n; e += 1) {
		let [[t, n], [o, s]] = [i.mark(e, r), i.mark(e + 1, r)], [c, l] = [a(e) ? 0 : 17, a(e + 1) ? 0 : 17], u = (e, t, n) => N("path", {
			class: "arrow",
			d: "M0 0 L-8 -4.5 L-8 4.5 Z",
			transform: `translate(${e} ${t}) rotate(${n})`
		});
		yield N("path", {
			class: "way",
			d: i.isFlat ? `M${t + c} ${n} H${o - l}` : `M${t} ${n + c} V${s - l}`
		}), r && c && (yield i.isFlat ? u(t + c - 2, n, 180) : u(t, n + c - 2, 270)), !r && l && (yield i.isFlat ? u(o - l + 2, s, 0) : u(o, s - l + 2, 90));
	}
}
function E({ pivot: e }, { isFlat: t, mark: n, width: r, height: i }) {
	let [[a, o], [s, c]] = [n(e - 1, !1), n(e, !1)], [l, u] = [(a + s) / 2, (o + c) / 2];
	return t ? [N("path", {
		class: "pivot",
		d: `M${l} 6 V${i - 4}`
	}), N("text", {
		class: "small",
		x: l + 7,
		y: i - 6
	}, "pivot: beyond it only forward")] : [N("path", {
		class: "pivot",
		d: `M0 ${u} H${r}`
	}), N("text", {
		class: "small",
		x: r,
		y: u - 4,
		"text-anchor": "end"
	}, "pivot")];
}
function D(e, t, i) {
	let o = e.dots.length === 1 && e.times === 1 ? e.dots[0]?.ms : void 0, s = e.began === void 0 ? "" : e.ended === void 0 ? `${i ? "for " : ""}${n(t - e.began)}` : o !== void 0 && e.ended - e.began < 1e3 ? `${o} ms` : r(e.ended - e.began), c = i ? a(e.times, "try", "tries") : `${e.times}×`;
	return [e.times > 1 ? c : "", s].filter(Boolean).join(" · ");
}
var O = ({ outcome: e }) => [
	"Succeeded",
	"Undone",
	"Compensated"
].includes(e) ? "done" : e === "Refused" ? "refused" : e === "InProgress" ? "now" : "unknown", k = (e) => ({
	Succeeded: "done",
	Refused: "refused",
	Unknown: "unknown",
	Skipped: "left-out"
})[e] ?? "not-yet", A = (e, t) => ({
	tabindex: -1,
	"data-key": e,
	role: "img",
	"aria-label": t
});
function j(e, t, n, r, ...[i, a, o, s, c, l]) {
	let u = (e, t = "") => P("td", {
		class: t ? e : `${e} none`,
		role: "cell"
	}, t), d = P("th", {
		scope: "row",
		role: "rowheader"
	}, t || P("span", { class: "unseen" }, n));
	return P("tr", {
		class: e,
		role: "row"
	}, d, u("way", i), u(`what ${r}`, a), u("number", o), u("number", s), u("number", c && `${c} ×`), u("why", l));
}
function M(e, t, n) {
	for (let [n, r] of Object.entries(t)) e.setAttribute(n, String(r));
	return e.append(...n), e;
}
function N(e, t, ...n) {
	return M(document.createElementNS("http://www.w3.org/2000/svg", e), t, n);
}
function P(e, t, ...n) {
	return M(document.createElement(e), t, n);
}
customElements.get("saga-timeline") || customElements.define("saga-timeline", C);
export { C as SagaTimeline };
