"""Programs for pictures, sound and video whose words may be more than names of files.

Players and FFmpeg take addresses and protocols, SoX takes effects behind its files, and
ImageMagick's names carry the coder that reads or writes them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from supervisor.effects.knowledge import Option
from supervisor.effects.programs.described import take
from supervisor.effects.programs.generic import apply_given
from supervisor.effects.programs.invocation import Invocation
from supervisor.effects.programs.registry import reader
from supervisor.effects.programs.roles import apply
from supervisor.effects.reading import Word


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(//)?(.*)", re.DOTALL)
_WEB = frozenset({"http", "https", "ftp", "ftps"})
_HOST_OF = re.compile(r"(?:[^@/]*@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:\d+)?")
_STANDARD = re.compile(r"-|pipe:\d*|fd:\d*")


def _address(invocation: Invocation, role: str, word: Word) -> None:
    """`word` stands in `role`, and is a file, an address, or what a protocol makes of it."""
    if _STANDARD.fullmatch(word.text):
        return
    match = _SCHEME.fullmatch(word.text)
    if match is None:
        apply(invocation, role, word)
        return
    scheme, slashes, rest = match[1].lower(), match[2], match[3]
    host = _HOST_OF.match(rest)
    if scheme in _WEB and slashes:
        invocation.url(word, "PUT" if role == "write" else "GET")
    elif scheme == "file":
        apply(invocation, role, replace(word, text=rest))
    elif slashes and host is not None:
        invocation.host(replace(word, text=host[0]))
    else:
        invocation.opaque(f"is given {scheme}:, which may read or write anything")


@reader
def addresses(invocation: Invocation, words: Sequence[Word]) -> None:
    """As the table says, but each file may be an address that is fetched."""
    given = take(invocation, words)
    kept: list[tuple[Option, Word | None]] = []
    for option, value in given.options:
        if value is not None and option.role in {"read", "write"}:
            _address(invocation, option.role, value)
        else:
            kept.append((option, value))
    roles = [operand.role for operand in invocation.table.operands]
    for word in given.operands:
        if not roles:
            invocation.unknown(f"does not know what the word {word.text} is for")
        else:
            _address(invocation, roles[0], word)
    given.options, given.operands = kept, []
    apply_given(invocation, given)


# ── FFmpeg ──────────────────────────────────────────────────────────────────────────────

_DEVICES = _names(
    """
    alsa android_camera avfoundation decklink dshow fbdev gdigrab iec61883 jack kmsgrab oss
    pulse sndio v4l2 video4linux2 vfwcap x11grab xcbgrab opengl sdl sdl2 xv audiotoolbox
    """
)
# Filters that open a file, run code of their own, or take commands.
_FILTER_FILES = re.compile(
    r"\b(?:a?movie|subtitles|ass|lut[13]d|haldclut|a?sendcmd|a?zmq|frei0r|frei0r_src|ladspa|lv2|dnn\w*"
    r"|sofalizer|whisper|ocr|libvmaf|vidstab\w+|flite|signature|deshake|removelogo|find_rect"
    r"|cover_rect|program_opencl|openclsrc|libplacebo|arnndn|sr|derain)\b\s*(?=[=@,;\[]|$)"
    r"|\w*(?:file\w*|script|model|plugin)\s*=",
    re.IGNORECASE,
)
_OPAQUE_FORMATS = frozenset({"tee", "concat", "libndi_newtek", "fifo"})


@reader
def ffmpeg(invocation: Invocation, words: Sequence[Word]) -> None:
    """Options stand before the input (`-i`) or the output (a bare word) that they are for."""
    table = invocation.table
    role = table.operands[0].role
    form = ""
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if len(word.text) < 2 or word.text[0] != "-":
            _stream(invocation, role, word, form)
            form = ""
            continue
        name = word.text if word.text in table.options else word.text.partition(":")[0]
        option = table.options.get(name)
        if option is None or not word.exact:
            invocation.unknown(f"does not know option {word.text}")
        elif option.role is not None:
            if index == len(words):
                invocation.opaque(f"lacks the value of {word.text}")
                return
            value = words[index]
            index += 1
            if name == "-f":
                form = value.text
            elif name == "-i":
                _stream(invocation, "read", value, form)
                form = ""
            elif name in _FILTERS:
                _filters(invocation, value)
            elif option.role in {"read", "write"}:
                _address(invocation, option.role, value)
            else:
                apply(invocation, option.role, value)


_FILTERS = frozenset({"-vf", "-af", "-filter", "-filter_complex", "-lavfi"})


def _stream(invocation: Invocation, role: str, word: Word, form: str) -> None:
    """An input or an output in the format `form`, "" where it is told by its name."""
    if form == "lavfi":
        _filters(invocation, word)
    elif form in _DEVICES:
        invocation.act = "device"
    elif form in _OPAQUE_FORMATS:
        invocation.opaque(f"is given the format {form}, which names further files")
    else:
        _address(invocation, role, word)


def _filters(invocation: Invocation, graph: Word) -> None:
    if not graph.exact:
        invocation.opaque("has filters that are only known when it runs")
    elif match := _FILTER_FILES.search(graph.text):
        invocation.opaque(f"has the filter {match[0]}, which may open any file")


# ── SoX ─────────────────────────────────────────────────────────────────────────────────

_SOX_EFFECTS = _names(
    """
    allpass band bandpass bandreject bass bend biquad channels chorus compand contrast
    dcshift deemph delay dither divide downsample earwax echo echos equalizer fade fir
    firfit flanger gain highpass hilbert input loudness lowpass mcompand noisered norm oops
    output overdrive pad phaser pitch rate remix repeat reverb reverse riaa silence sinc
    spectrogram speed splice stat stats stretch swap synth tempo treble tremolo trim
    upsample vad vol
    """
)
_SOX_FILES = frozenset({"fir", "noisered", "noiseprof", "spectrogram", "ladspa", "firfit"})


@reader
def sox(invocation: Invocation, words: Sequence[Word]) -> None:
    """`sox [options] in… out effect…`: the last file is written, unless it is the null file."""
    table = invocation.table
    files: list[Word | None] = []
    index = 0
    while index < len(words):
        word = words[index]
        if not word.exact:
            invocation.opaque("has a word that is only known when it runs")
            return
        if word.text in _SOX_EFFECTS | _SOX_FILES:
            break
        index += 1
        if word.text in {"-n", "-p", "-d", "--null", "--sox-pipe", "-"}:
            files.append(None)
        elif len(word.text) > 1 and word.text[0] == "-":
            option = table.options.get(word.text.partition("=")[0])
            if option is None:
                invocation.unknown(f"does not know option {word.text}")
            elif option.role is not None and "=" not in word.text:
                index += 1
        elif word.text[0] == "|":
            invocation.opaque("takes sound from a command")
        else:
            files.append(word)
    last = len(files) - 1
    for position, name in enumerate(files):
        if name is not None:
            output = position == last and invocation.program == "sox"
            _address(invocation, "write" if output else "read", name)
    for word in words[index:]:
        if word.text in _SOX_FILES:
            invocation.opaque(f"has the effect {word.text}, which names further files")


# ── ImageMagick ─────────────────────────────────────────────────────────────────────────

# Coders that make a picture from words alone.
_MADE = _names(
    """
    canvas caption fractal gradient granite hald label logo netscape null pattern plasma
    radial-gradient rose wizard xc
    """
)
_PLAIN = _names(
    """
    apng avif bmp bmp2 bmp3 dds dng exr fits gif gif87 gray hdr heic heif hex histogram ico
    info j2k jp2 jpe jpeg jpg json jxl map miff mono mpc pam pbm pcd pcx pdf pfm pgm png
    png8 png24 png32 png48 png64 pnm ppm psb psd ras rgb rgba rgb565 sgi sixel sparse-color
    sun svg tga tif tiff tiff64 txt uyvy viff wbmp webp xbm xpm xwd ycbcr yuv cmyk cmyka ps
    eps ps2 ps3 epdf
    """
)
_CODER = re.compile(r"([A-Za-z][A-Za-z0-9-]+):(.*)", re.DOTALL)
_TWO_VALUES = _names(
    """
    -annotate -distort -evaluate -function -morphology -set -sparse-color -statistic
    """
)
# In a drawing or a fill: `image over 0,0 9,9 'file'`, `tile:file`.
_NAMES_A_FILE = re.compile(r"\s*(?:image|text|tile|url|pattern)\W", re.IGNORECASE)
_SUBIMAGE = re.compile(r"\[[^\[\]/]*\]$")


@reader
def imagemagick(invocation: Invocation, words: Sequence[Word]) -> None:
    """`magick in… -operation… out`: each bare word is read, the last is written.

    The table's operands say what happens to the pictures: `read...` (identify), `edit...`
    (mogrify), `read... write` (convert).
    """
    table = invocation.table
    roles = [operand.role for operand in table.operands]
    pictures: list[Word] = []
    index = 0
    while index < len(words):
        word = words[index]
        text = word.text
        index += 1
        if not word.exact:
            invocation.opaque("has a word that is only known when it runs")
        elif text in {"(", ")", "{", "}"}:
            continue
        elif len(text) < 2 or text[0] not in "-+":
            pictures.append(word)
        else:
            option = table.options.get(text)
            if option is None or option.role is None:
                if option is None and text[0] == "+" and f"-{text[1:]}" in table.options:
                    continue  # `+name` takes a setting back
                if option is None:
                    invocation.unknown(f"does not know option {text}")
                continue
            values = words[index : index + (2 if text in _TWO_VALUES else 1)]
            index += len(values)
            for value in values:
                if option.role in {"read", "write"}:
                    _picture(invocation, option.role, value)
                else:
                    _value(invocation, option.role, value)
    for position, word in enumerate(pictures):
        output = roles[-1] == "write" and position == len(pictures) - 1 and position > 0
        _picture(invocation, "write" if output else roles[0], word)


def _value(invocation: Invocation, role: str, value: Word) -> None:
    if not value.exact:
        invocation.opaque("has a word that is only known when it runs")
    elif role == "text" and value.text.startswith("@"):
        apply(invocation, "read", replace(value, text=value.text[1:]))
    elif role == "text" and _NAMES_A_FILE.match(value.text):
        invocation.opaque(f"is told {value.text}, which may name a file")
    else:
        apply(invocation, role, value)


def _picture(invocation: Invocation, role: str, word: Word) -> None:
    """A picture's name: its coder, its file, and which frames of it."""
    name = replace(word, text=_SUBIMAGE.sub("", word.text))
    match = _CODER.fullmatch(name.text)
    if name.text.startswith("@"):
        apply(invocation, "read", replace(name, text=name.text[1:]))
        invocation.opaque("takes the names of its pictures from a file")
    elif name.text.startswith("|"):
        invocation.opaque("takes a picture from a command")
    elif name.text.lower().endswith((".msl", ".mvg", ".msvg")):
        invocation.opaque(f"is given {name.text}, which may name further files")
    elif match is None:
        apply(invocation, role, name)
    elif match[1].lower() in _MADE:
        if match[2].startswith("@"):
            apply(invocation, "read", replace(name, text=match[2][1:]))
    elif match[1].lower() in _PLAIN and not match[2].startswith("@"):
        apply(invocation, role, replace(name, text=match[2]))
    elif match[1].lower() in _WEB:
        invocation.url(word, "PUT" if role == "write" else "GET")
    else:
        invocation.opaque(f"is given {match[1]}:, which may do anything")
