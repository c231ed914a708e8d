"""The look and the extensions of the documentation site; build.py writes its pages and runs Sphinx."""

import os
import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "bindings" / "python")]
import python_docstrings  # noqa: E402
import stand_ins  # noqa: E402

stand_ins.install()
stand_ins.name_array_types()

project = "MixGRPO"
version = release = os.environ["MIXGRPO_SITE_VERSION"]
extensions = ["myst_parser", "sphinx.ext.autodoc", "breathe"]
root_doc = "index"
html_theme = "furo"
html_title = f"MixGRPO {version}"
html_static_path = [str(HERE / "static")]
html_css_files = ["site.css"]
html_use_index = html_domain_indices = False
html_show_copyright = html_show_sphinx = html_copy_source = html_show_sourcelink = False
html_extra_path = [path for path in [os.environ.get("MIXGRPO_SITE_RUST")] if path]
# The theme's own icons and fonts only: no page loads anything from elsewhere.
html_theme_options = {"navigation_with_keys": False}
pygments_style, pygments_dark_style = "tango", "monokai"

smartquotes = False
myst_heading_anchors = 6
myst_enable_extensions = ["colon_fence"]
# A heading of a page may begin at any level, and a text may be given in a language that Pygments does not know.
suppress_warnings = ["myst.header", "misc.highlighting_failure"]
add_function_parentheses = False
c_maximum_signature_line_length = cpp_maximum_signature_line_length = python_maximum_signature_line_length = 100

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"

breathe_default_project = "mixgrpo"
breathe_projects = {"mixgrpo": os.environ["MIXGRPO_SITE_DOXYGEN"]}
breathe_default_members = ("members",)


def collapse_navigation(app, page: str, template: str, context: dict, tree: object) -> None:
    """The navigation shows what is inside the language at hand. All of it on each page would be most of the site."""
    whole = context.get("toctree")
    if whole:
        context["toctree"] = lambda **options: whole(**(options | {"collapse": True}))


def setup(app) -> None:
    app.connect("html-page-context", collapse_navigation, priority=400)
    app.connect("autodoc-process-docstring", python_docstrings.to_restructured_text)
