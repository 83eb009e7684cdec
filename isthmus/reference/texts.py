"""The page of the sign-in page's texts, from the code and the translations."""

from __future__ import annotations

from gateway.signin import LANGUAGES, is_proofread, language_name, shipped_texts
from isthmus.reference.markdown import code, page, table


def texts_page() -> str:
    """The languages, and every English text that an administrator can replace."""
    introduction = """\
Every text that the sign-in page and the account page can show. To replace one, set it in `[server.signin.texts.LANGUAGE]`:
the setting's name is the English text exactly as it stands here, in every language. What stands in braces is filled in by
the page; your text may leave it out."""
    languages = [
        [code(language), language_name(language), "" if is_proofread(language) else "not yet by a native speaker"]
        for language in LANGUAGES
    ]
    english = {form for forms in shipped_texts("en") for form in forms}
    texts = "\n".join(f"- {code(text)}" for text in sorted(english, key=str.casefold))
    return page(
        "Texts of the sign-in page",
        introduction,
        "## Languages",
        table(["language", "name", "proofread"], languages),
        "## English texts",
        texts,
    )
