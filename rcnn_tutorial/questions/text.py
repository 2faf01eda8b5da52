"""Texts of questions as HTML and without marks; numbers as students write them."""

import re
from html import escape


def marked_up(text: str) -> str:
    """A text as HTML: `code` and **bold**, nothing else."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    return re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text)


def plain(text: str) -> str:
    """A text without its marks."""
    return text.replace("`", "").replace("**", "")


def written(number: float) -> str:
    """A number as the lessons write it: 17 100, 1.6."""
    text = f"{number:,.4f}".rstrip("0").rstrip(".") if isinstance(number, float) else f"{number:,}"
    return text.replace(",", " ")


def number_in(text: str) -> float:
    """The number that a student wrote: 17100, 17 100, 17,100, 1.6, 1,6 or 2/3. Raises ValueError in a sentence."""
    tight = re.sub(r"\s", "", text).replace("−", "-")
    if re.fullmatch(r"-?\d{1,3}(,\d{3})+(\.\d+)?", tight):
        tight = tight.replace(",", "")
    parts = tight.replace(",", ".").split("/")
    try:
        if not all(re.fullmatch(r"-?(\d+\.?\d*|\.\d+)", part) for part in parts) or len(parts) > 2:
            raise ValueError(text)
        return float(parts[0]) / (float(parts[1]) if len(parts) == 2 else 1.0)
    except (ValueError, ZeroDivisionError, OverflowError):
        raise ValueError(f"“{text.strip()[:40]}” is no number: write it like 42, 0.5 or 2/3.") from None
