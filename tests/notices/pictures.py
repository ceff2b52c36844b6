"""Pictures as the repository keeps them, and how they are compared."""

import io

from PIL import Image, ImageChops

# Of all pixels, how many may differ visibly (by more than 40 of 255): letters are not drawn alike by every version.
THRESHOLD = 0.02
VISIBLY = 40


def picture(png, colours=64):
    """A picture of few colours, so that it is small."""
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


def difference(one, other):
    """The part of the pixels that differ visibly; 1 when the pictures are not of one height, give or take a line."""
    if one.width != other.width or abs(one.height - other.height) > 24:
        return 1.0
    height = min(one.height, other.height)
    one, other = (image.convert("L").crop((0, 0, image.width, height)) for image in (one, other))
    histogram = ImageChops.difference(one, other).histogram()
    return sum(histogram[VISIBLY:]) / (one.width * height)


def compare(seen, known, write):
    """The difference of a picture from the file that the repository has of it, which it replaces with `write`."""
    if write:
        known.parent.mkdir(exist_ok=True)
        seen.save(known, optimize=True)
    return difference(seen, Image.open(known)) if known.exists() else 1.0
