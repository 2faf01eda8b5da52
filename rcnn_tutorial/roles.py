"""What the layers of a picture stand for: a role gives color, dash and the name in the legend.

Color is never the only code: roles that meet in one picture differ in dash (or in the shape of points) too.
"""

from typing import NamedTuple

# Okabe and Ito, "Color Universal Design" (2008), without black; then indigo and wine of Paul Tol's "muted", and gray.
PALETTE = (
    "#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#332288", "#882255", "#BBBBBB",
)  # fmt: skip
RED, GREEN, BLUE, YELLOW, WHITE = PALETTE[5], PALETTE[2], PALETTE[4], PALETTE[3], "#FFFFFF"
# Of classes: the palette's others that are seen on a photo, and a few more. None is the color of a role.
CLASS_COLORS = ("#882255", "#56B4E9", "#BBBBBB", "#999933", "#AA4499", "#CC79A7", "#E69F00", "#C9B1FF")
GROUND = "#404040"  # where there is no image; all colors of the course stand out on it
DASHES = {"solid": (), "dashed": (8, 5), "dotted": (2, 4), "dashdot": (10, 4, 2, 4)}  # lengths in screen pixels


class Role(NamedTuple):
    """What a layer stands for; `role._replace(dash="dotted")` where a picture needs it otherwise."""

    color: str  # "#RRGGBB"
    dash: str = "solid"  # solid | dashed | dotted | dashdot
    name: str = ""  # in the legend; without one the layer has no entry


PLAIN = Role(WHITE)  # no meaning of its own
OTHER = Role(WHITE, "dotted", "other classes")
GROUND_TRUTH = Role(YELLOW, "dashdot", "object")
BEFORE = Role(RED, "dashed", "before")  # as it comes into a stage
AFTER = Role(GREEN, "solid", "after")  # the same as it leaves the stage
CHOSEN = Role(BLUE, "solid", "chosen")
ANCHOR, PROPOSAL = BEFORE._replace(name="anchor"), AFTER._replace(name="proposal")
BACKGROUND, FOREGROUND = BEFORE._replace(name="background"), AFTER._replace(name="foreground")
ROI = BEFORE._replace(name="ROI")


def class_color(label: int) -> str:
    """The color `#RRGGBB` of a class (1..C). Colors repeat after eight classes, so pictures write the name too."""
    return CLASS_COLORS[(label - 1) % len(CLASS_COLORS)]


def ink_on(color: str) -> str:
    """Black or white, whichever stands out more on the color `#RRGGBB` (contrast ratio of WCAG 2)."""
    channels = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#000000" if (luminance + 0.05) / 0.05 >= 1.05 / (luminance + 0.05) else "#FFFFFF"
