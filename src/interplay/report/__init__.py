"""The report: everything the other stages found out, as one HTML file that needs nothing but itself.

``run`` reads artifacts and writes one more (kind ``report``, a single ``index.html``). Reading is split by story:
``scores`` (verdict and table), ``cards`` (videos side by side), ``analysis`` and ``alignment`` (where interactions
live, shown by ``layers``), ``films`` (attention on the frames), ``training`` (curves and recipe), ``provenance``. Each
gives a view model or an :class:`~interplay.report.absent.Absent` that says what is missing and why; ``page`` hands them
to the templates. Figures are SVG, written by hand so that they follow the page's light and dark colours.
"""
