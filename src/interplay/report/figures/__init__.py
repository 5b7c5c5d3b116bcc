"""The figures of the report: functions from view models to SVG, coloured by the page's own stylesheet."""
