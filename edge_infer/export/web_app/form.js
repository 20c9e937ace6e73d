// A form made of the manifest's columns, and what is filled in as a row of values.
import { element, shortNumber, tamed } from "./elements.js";
import { isClosed, isCoded, isFreeText, isUsed, Misfit, repr, valueOf } from "./schema.js";
import { shownTime, timeType } from "./times.js";

const MOST_FIELDS = 300; // more columns than that are given as a CSV
const MOST_OPTIONS = 60; // more categories than that are suggested while one types
const MOST_SUGGESTIONS = 2000;
const LONGEST_HINT = 300; // characters of a column's description; `edge-infer inspect --json` has all
const OTHER = "other";
const MISSING = "missing";

/** The columns that a person fills in: those that an answer depends on. */
export const asked = (inputs) => inputs.columns.filter(isUsed);

/** A field for each column. `element` is what is shown; `value()` throws Misfit. */
export class Form {
  constructor(inputs) {
    this.columns = inputs.columns;
    const shown = asked(inputs);
    this.tooWide = shown.length > MOST_FIELDS;
    this.fields = new Map(
      this.tooWide
        ? []
        : shown.map((column) => [column.name, fieldOf(column, `field-${inputs.columns.indexOf(column)}`)]),
    );
  }

  get elements() {
    return [...this.fields.values()].map((field) => field.element);
  }

  /** {row, problems}: values in the manifest's order, and [field, message] of each that does not fit. */
  read(packer) {
    const problems = new Map();
    const row = this.columns.map((column) => {
      const field = this.fields.get(column.name);
      try {
        return field ? field.value() : null;
      } catch (error) {
        if (!(error instanceof Misfit)) throw error;
        problems.set(field, error.message);
        return null;
      }
    });
    for (const mismatch of packer.mismatches(row)) {
      const field = this.fields.get(mismatch.column.name);
      if (!problems.has(field)) problems.set(field, `expected ${mismatch.expected}, got ${mismatch.got}`);
    }
    return { row, problems };
  }

  fill(row) {
    this.columns.forEach((column, place) => this.fields.get(column.name)?.fill(row[place]));
    this.show(new Map());
  }

  /** After the browser has set the controls itself. */
  refresh() {
    this.show(new Map());
    for (const field of this.fields.values()) field.refresh();
  }

  /** Messages beside their fields; the first of them gets the focus. */
  show(problems) {
    for (const field of this.fields.values()) field.tell(problems.get(field) ?? "");
    const first = [...this.fields.values()].find((field) => problems.has(field));
    first?.focus();
  }
}

function fieldOf(column, id) {
  if (isFreeText(column)) return new TextField(column, id, element("textarea", { id, rows: "3" }));
  if (column.kind === "boolean")
    return new ChoiceField(column, id, [true, false], (value) => (value ? "true" : "false"));
  const few = column.categories != null && column.categories.length <= MOST_OPTIONS;
  if (few && (isCoded(column) || isClosed(column))) return new ChoiceField(column, id, column.categories, String);
  if (isCoded(column)) return new TypedCategoryField(column, id);
  if (column.kind === "datetime") return new TextField(column, id, timeInput(column, id));
  return new TextField(column, id, numberInput(column, id));
}

function numberInput(column, id) {
  return element("input", {
    id,
    type: "text",
    inputmode:
      column.kind === "integer" && !(column.range?.[0] < 0) ? "numeric" : column.range?.[0] < 0 ? "text" : "decimal",
    autocomplete: "off",
    placeholder: column.missing ? "missing" : null,
  });
}

function timeInput(column, id) {
  const { unit, zoned } = timeType(column.dtype);
  if (zoned) return element("input", { id, type: "text", placeholder: "2024-05-01T12:30+02:00", autocomplete: "off" });
  return unit === "D"
    ? element("input", { id, type: "date" })
    : element("input", { id, type: "datetime-local", step: "1" });
}

/** Beside a column's name. <bdi>: a unit in another script does not turn the name around. */
const unitOf = (unit) => element("bdi", { class: "unit" }, tamed(unit));

function describedShortly(description) {
  const text = tamed(description ?? "");
  return text.length > LONGEST_HINT ? `${text.slice(0, LONGEST_HINT)}…` : text;
}

/** What each field has: its label with the unit, description, hint, message and places for them. */
class Field {
  constructor(column, id) {
    this.column = column;
    this.id = id;
    this.message = element("p", { class: "message", id: `${id}-message` });
  }

  /** To be called with the control that the label names. */
  build(control, ...more) {
    const { name, unit, description } = this.column;
    this.control = control;
    control.setAttribute("aria-describedby", `${this.id}-description ${this.id}-hint ${this.id}-message`);
    const told = element("p", { class: "hint", id: `${this.id}-description` }, describedShortly(description));
    const hint = element("p", { class: "hint", id: `${this.id}-hint` }, hintOf(this.column));
    const label = element("label", { for: this.id }, name, ...(unit == null ? [] : [" ", unitOf(unit)]));
    this.element = element(
      "div",
      { class: isFreeText(this.column) ? "field tall" : "field" },
      label,
      control,
      ...more,
      told,
      hint,
      this.message,
    );
  }

  focus() {
    this.control.focus();
  }

  /** Shows what belongs to the control's value. */
  refresh() {}

  tell(message) {
    this.message.textContent = message;
    if (message) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
  }
}

/** Free text, numbers and times: typed. An empty field is a missing value; free text takes it as it is. */
class TextField extends Field {
  constructor(column, id, control) {
    super(column, id);
    this.build(control);
  }

  value() {
    return valueOf(this.column, this.control.value);
  }

  fill(value) {
    const text = value === null ? "" : filledText(this.control.type, value);
    this.control.value = text;
    if (this.control.value !== "" || text === "") return;
    this.control.type = "text"; // a date's control has no microseconds
    this.control.value = text;
  }
}

function filledText(type, value) {
  if (type === "date") return String(value).slice(0, 10);
  if (type !== "datetime-local") return String(value);
  const text = String(value).replace(" ", "T");
  return text.includes("T") ? text : `${text}T00:00`;
}

/** Known values to choose from; missing and other ones are entries of the list where the model takes them. */
class ChoiceField extends Field {
  constructor(column, id, values, label) {
    super(column, id);
    this.values = values;
    const options = values.map((value, place) => element("option", { value: String(place) }, optionText(label(value))));
    const prompt = element("option", { value: "", selected: true, disabled: true, hidden: true }, "choose …");
    const extra = column.missing ? [element("option", { value: MISSING }, "— missing —")] : [];
    const takesOther = isCoded(column) && column.unknown;
    if (takesOther) extra.push(element("option", { value: OTHER }, "another value …"));
    this.other = element("input", {
      type: "text",
      id: `${id}-other`,
      "aria-label": `${column.name}: another value`,
      hidden: true,
      autocomplete: "off",
    });
    const select = element("select", { id }, prompt, ...options, ...extra);
    select.addEventListener("change", () => this.refresh());
    this.build(select, ...(takesOther ? [this.other] : []));
  }

  refresh() {
    this.other.hidden = this.control.value !== OTHER;
  }

  value() {
    const chosen = this.control.value;
    if (chosen === "") throw new Misfit("one of the list", "nothing chosen");
    if (chosen === MISSING) return null;
    return chosen === OTHER ? this.other.value : this.values[Number(chosen)];
  }

  fill(value) {
    const place = this.values.indexOf(value);
    this.control.value = value === null ? (this.column.missing ? MISSING : "") : place < 0 ? OTHER : String(place);
    this.other.value = place < 0 && value !== null ? String(value) : "";
    this.refresh();
  }
}

/** Many categories: one types, and known ones are suggested. */
class TypedCategoryField extends Field {
  constructor(column, id) {
    super(column, id);
    const known = column.categories.slice(0, MOST_SUGGESTIONS).map((value) => element("option", { value }));
    const control = element("input", { id, type: "text", list: `${id}-known`, autocomplete: "off" });
    this.missing = element("input", { type: "checkbox", id: `${id}-missing` });
    this.missing.addEventListener("change", () => this.refresh());
    const box = element(
      "span",
      { class: "check" },
      this.missing,
      element("label", { for: `${id}-missing` }, "missing"),
    );
    this.build(control, element("datalist", { id: `${id}-known` }, ...known), ...(column.missing ? [box] : []));
  }

  refresh() {
    this.control.disabled = this.missing.checked;
  }

  value() {
    return this.missing.checked ? null : this.control.value;
  }

  fill(value) {
    this.missing.checked = value === null && this.column.missing;
    this.control.value = value ?? "";
    this.refresh();
  }
}

const optionText = (text) => (text.trim() ? text : `“${text}”`);

/** What training saw, and whether a gap is taken. Hints, not limits. */
function hintOf(column) {
  const parts = [];
  if (column.kind === "datetime") {
    const type = timeType(column.dtype);
    if (column.range)
      parts.push(`${shownTime(column.range[0], type)} to ${shownTime(column.range[1], type)} in training`);
  } else if (isFreeText(column)) {
    parts.push("free text");
  } else if (column.range && column.kind !== "boolean") {
    const [low, high] = column.range.map(shortNumber);
    parts.push(`${column.kind === "integer" ? "whole number, " : ""}${low} to ${high} in training`);
  } else if (column.kind === "integer" || column.kind === "number") {
    parts.push(column.kind === "integer" ? "whole number" : "number");
  }
  if (isCoded(column) && column.categories.length > MOST_OPTIONS)
    parts.push(`${column.categories.length} known values`);
  if (column.missing && !isCoded(column)) parts.push("empty: missing");
  return parts.join("; ");
}

/** Sentences on values that fit but are outside of what training saw. */
export function remarks(columns, row) {
  return columns.flatMap((column, place) => {
    const value = row[place];
    if (!isUsed(column) || value === null) return [];
    if (isCoded(column) && !column.categories.includes(value))
      return [`${column.name}: training did not know ${repr(value)}.`];
    const number = Number(value);
    const outside =
      column.range &&
      column.kind !== "datetime" &&
      typeof value !== "boolean" &&
      (number < column.range[0] || number > column.range[1]);
    return outside ? [`${column.name}: ${String(value)} is outside of what training saw.`] : [];
  });
}
