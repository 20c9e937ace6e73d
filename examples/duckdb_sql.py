"""A model as a function of SQL, in DuckDB.

python examples/duckdb_sql.py     (writes two files to the current folder; needs edge-infer[duckdb])
"""

from __future__ import annotations

import duckdb

from edge_infer.batch.duckdb import register
from edge_infer_convert import convert
from edge_infer_convert.demo import train

COLUMNS = "island, sex, bill_length_mm, bill_depth_mm, flipper_length_mm, body_mass_g"


def main() -> None:
    pipeline, X, _ = train()
    convert(pipeline, data=X, name="penguins", version="1.0.0", output="penguins-1.0.0.onnx")
    X.to_csv("penguins.csv", index_label="id")

    connection = duckdb.connect()
    register(connection, "penguins-1.0.0.onnx")
    register(connection, "penguins-1.0.0.onnx", "chances", methods=["predict_proba"])
    connection.execute("CREATE VIEW penguins AS FROM read_csv('penguins.csv', nullstr = '')")

    labels = (
        f"SELECT predict({COLUMNS}) AS label, count(*) FROM penguins WHERE sex IS NULL GROUP BY label ORDER BY label"
    )
    print("penguins whose sex is not known:")
    for label, count in connection.sql(labels).fetchall():
        print(f"{label}: {count}")

    unsure = f"""SELECT id, c FROM (SELECT id, chances({COLUMNS}) AS c FROM penguins)
                 ORDER BY abs(c."P(Adelie)" - c."P(Chinstrap)") LIMIT 3"""
    print("Adelie or Chinstrap?")
    for number, chances in connection.sql(unsure).fetchall():
        print(f"penguin {number}: " + ", ".join(f"{name} = {chance:.2f}" for name, chance in chances.items()))


if __name__ == "__main__":
    main()
