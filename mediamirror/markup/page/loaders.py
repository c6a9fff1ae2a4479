"""The attributes in which lazy loaders keep images, by loader: what `lazy` looks for.

A new loader is one row of `LOADERS`: the name that holds a srcset, the one that holds a single URL, the one that holds sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mediamirror.first_use import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    """The attribute names that one way of writing images uses: the standard's own, or a lazy loader's.

    ``srcset`` is read as a srcset attribute, ``src`` as one URL, ``sizes`` is kept as it is.
    """

    srcset: str | None
    src: str | None
    sizes: str | None


def _single(names: str) -> tuple[Family, ...]:
    return tuple(Family(None, name, None) for name in names.split())


LOADERS: tuple[Family, ...] = (
    # lazysizes, vanilla-lazyload, lozad, yall, LiteSpeed, Smush, Perfmatters, Autoptimize, Swiper, and most others.
    Family("data-srcset", "data-src", "data-sizes"),
    # WP Rocket, a8c, Jetpack.
    Family("data-lazy-srcset", "data-lazy-src", "data-lazy-sizes"),
    # jquery.lazyload, vanilla-lazyload up to version 8.
    Family("data-original-set", "data-original", None),
    Family("data-pfsrcset", None, "data-sizes"),
    # EWWW.
    Family("data-srcset-webp", "data-src-webp", "data-sizes"),
    Family("data-srcset-img", "data-src-img", "data-sizes"),
    # NitroPack, PageSpeed, imgix.js, PhotoSwipe, Flickity, Optimole, AEM.
    Family("nitro-lazy-srcset", "nitro-lazy-src", "nitro-lazy-sizes"),
    Family("data-pagespeed-lazy-srcset", "data-pagespeed-lazy-src", None),
    Family("ix-srcset", "ix-src", "ix-sizes"),
    Family("data-pswp-srcset", "data-pswp-src", None),
    Family("data-flickity-lazyload-srcset", "data-flickity-lazyload-src", "data-flickity-lazyload-sizes"),
    Family("data-opt-srcset", "data-opt-src", None),
    Family("data-cmp-srcset", "data-cmp-src", None),
    # WooCommerce: the photo before a variation of the product was chosen.
    Family("data-o_srcset", "data-o_src", "data-o_sizes"),
    Family("data-envira-srcset", "data-envira-src", None),
    Family("data-flickity-bg-lazyload-srcset", "data-flickity-bg-lazyload", None),
    Family("lazy-srcset", "lazy-src", "lazy-sizes"),
    *_single("data-lazysrc data-lazy-original data-lazyload data-lazy data-large_image data-flickity-lazyload"),
    # WordPress attachments: the files behind an image of a gallery.
    *_single("data-orig-file data-large-file data-medium-file"),
    # News sites: CNN, Bloomberg, Zhihu and others.
    *_single("data-src-mini data-src-xsmall data-src-small data-src-medium data-src-large data-src-full16x9"),
    *_single("data-original-desktop data-original-mobile data-hi-res-src data-native-src data-actualsrc"),
    *_single("data-original-src data-delayed-url data-ghost-url data-echo loadlate load-src real_src"),
    # unveil, Owl, retina.js, Layzr, bLazy, Cloudflare Mirage, lozad, Pinterest.
    *_single("data-src-retina data-at2x data-rjs data-layzr data-normal data-retina data-cfsrc"),
    *_single("data-iesrc data-pin-media data-zoom-image data-high-res-src data-old-hires data-fallback-src"),
    *_single("lazy-href ng-src data-ng-src v-lazy data-poster"),
)
"""What is read of ``img``, ``source`` and ``picture`` whatever its URL looks like; of other elements, if it looks like an image."""

BACKGROUNDS = frozenset({
    "data-bg", "data-bg-hidpi", "data-bg-multi", "data-bg-multi-hidpi", "data-bg-set", "data-bg-set-hidpi",
    "data-background", "data-background-image", "data-background-image-set", "data-bg-image", "data-bg-src",
    "data-back", "data-back-webp", "data-lazy-background", "data-lazy-bg", "lazy-background", "nitro-lazy-bg",
    "data-src-background", "data-parallax-image", "data-image-src", "data-bgimage", "data-bg-url",
})  # fmt: skip
"""What holds the background of any element: one URL, or what CSS writes as ``background-image``."""

BGSETS = frozenset({"data-bgset", "data-lazy-bgset"})
"""What holds a set in the manner of lazysizes' bgset: see `lazy_formats`."""

RESPONSIVE = "data-responsive"
"""What holds files with the widest screen for each, in the manner of lightGallery."""


def by_name(loaders: Iterable[Family]) -> Mapping[str, Family]:
    """Return loaders by each of the names under which they keep images; the first loader of a name counts."""
    index: dict[str, Family] = {}
    for family in loaders:
        for name in (family.srcset, family.src):
            if name is not None:
                index.setdefault(name, family)
    return index


KNOWN = by_name(LOADERS)
