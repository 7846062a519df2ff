"""What the theme and MathJax ship and no page loads is taken out of a built site: some 27 MB of 41.

Found by opening every page in Chromium and writing down each request; tests/test_browser.py opens a trimmed site
again and fails on a file that is missed or a formula that is not set.
"""

import shutil
from pathlib import Path

MATHJAX = "_static/mathjax"
UNUSED = {
    f"{MATHJAX}/[lmns]*.js": "other ways to start MathJax; pages start it with tex-chtml.js",
    f"{MATHJAX}/core.js": "a part of tex-chtml.js",
    f"{MATHJAX}/tex-[ms]*.js": "bundles for other inputs and outputs",
    f"{MATHJAX}/tex-chtml-*.js": "bundles that speak, and that hold every extension of TeX at once",
    f"{MATHJAX}/sre": "speech for formulas in 14 languages, which only the menu turns on; it is switched off",
    f"{MATHJAX}/a11y": "the same, and an explorer; what screen readers need is in tex-chtml.js",
    f"{MATHJAX}/ui": "the formulas' own menu; it is switched off",
    f"{MATHJAX}/adaptors": "for MathJax outside of a browser",
    f"{MATHJAX}/output/svg*": "formulas as pictures; ours are letters",
    f"{MATHJAX}/output/chtml.js": "a part of tex-chtml.js",
    f"{MATHJAX}/output/chtml/fonts/tex.js": "a part of tex-chtml.js",
    f"{MATHJAX}/input/mml*": "formulas as MathML; ours are TeX",
    f"{MATHJAX}/input/asciimath*": "formulas as AsciiMath; ours are TeX",
    f"{MATHJAX}/input/tex*.js": "parts of tex-chtml.js; input/tex/extensions stays, for rare macros",
    "_static/**/*.map": "for those who debug the theme",
    "_static/scripts/fontawesome.js*": "the icons as a script; pages take them from the font",
    "_static/locales": "the theme's translations, which only the build reads",
    "_static/*webpack-macros.html": "the theme's templates, which only the build reads",
    "_static/sphinx-thebe.*": "runs cells on a server elsewhere; no page loads it",
}


def trim(site: Path) -> int:
    """Remove from a built site what no page loads; return how many files and folders that were."""
    found = [path for pattern in UNUSED for path in site.glob(pattern)]
    for path in found:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return len(found)
