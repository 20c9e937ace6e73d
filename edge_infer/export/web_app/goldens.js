// The golden rows, run in this browser and held against the original's answers (FORMAT.md, section 5).

const NON_FINITE_TEXTS = { NaN, Infinity, "-Infinity": -Infinity };

/** For each method: rows, those that agree, and the largest difference of a number. */
export async function replay(model, goldens) {
  const refused = goldens.rows.flatMap((row) => model.packer.mismatches(row));
  if (refused.length) throw new Error(`a golden row does not fit: ${refused[0]}`);
  const answers = await model.answers(goldens.rows);
  return Object.entries(goldens.answers).map(([method, expected]) => {
    const output = model.outputs.find((one) => one.method === method);
    const compared = expected.map((wanted, row) =>
      compare(output, answers[row][method], wanted, goldens.tolerances[method]),
    );
    return {
      method,
      rows: expected.length,
      equal: compared.filter((one) => one.agrees).length,
      exact: isExact(output),
      largest: Math.max(0, ...compared.map((one) => one.largest)),
      first: compared.findIndex((one) => !one.agrees),
    };
  });
}

/** Text, true/false and objects must be equal; numbers within the tolerance. */
const isExact = (output) => output.dtype === "object" || output.dtype === "bool" || output.dtype.startsWith("<U");

function compare(output, got, wanted, tolerance) {
  const pairs = [[got].flat(Infinity), [wanted].flat(Infinity)];
  if (pairs[0].length !== pairs[1].length) return { agrees: false, largest: 0 };
  if (isExact(output)) return { agrees: pairs[0].every((value, i) => value === pairs[1][i]), largest: 0 };
  const each = pairs[0].map((value, i) => compareNumbers(value, pairs[1][i], tolerance));
  return { agrees: each.every((one) => one.agrees), largest: Math.max(0, ...each.map((one) => one.difference)) };
}

function compareNumbers(got, wanted, { relative, scale }) {
  const expected = typeof wanted === "string" ? NON_FINITE_TEXTS[wanted] : wanted;
  if (typeof got === "bigint" || typeof expected === "bigint") {
    return { agrees: BigInt(got) === BigInt(expected), difference: Math.abs(Number(got) - Number(expected)) };
  }
  if (Object.is(got, expected) || got === expected) return { agrees: true, difference: 0 };
  const difference = Math.abs(got - expected);
  if (!Number.isFinite(expected) || !Number.isFinite(difference)) return { agrees: false, difference: 0 };
  return { agrees: difference <= relative * Math.max(Math.abs(expected), scale), difference };
}
