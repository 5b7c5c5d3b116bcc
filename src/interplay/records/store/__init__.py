"""The dataset store: a folder of Parquet rows and media that pandas, DuckDB and ``datasets`` read as it is."""
