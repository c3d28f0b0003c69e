"""What names of Python and its standard library do: calculate, look, read, write, run, fetch."""

from __future__ import annotations

from supervisor.effects.programs.sets import names

BUILTINS = names(
    "abs all any ascii bin bool bytearray bytes callable chr complex dict dir divmod enumerate "
    "filter float format frozenset hasattr hash hex id int isinstance issubclass iter len list "
    "map max min next object oct ord pow print range repr reversed round set slice sorted str "
    "sum tuple type zip open exit quit __name__ __file__ True False None NotImplemented "
    "Ellipsis Exception BaseException ValueError TypeError KeyError IndexError AttributeError "
    "OSError IOError RuntimeError AssertionError ImportError ModuleNotFoundError "
    "FileNotFoundError StopIteration KeyboardInterrupt SystemExit UnicodeDecodeError "
    "UnicodeError ZeroDivisionError NameError NotImplementedError OverflowError PermissionError "
    "ArithmeticError LookupError"
)
# Modules of which every public name only calculates.
PURE = names(
    "json re math cmath random string textwrap base64 hashlib hmac statistics decimal fractions "
    "collections itertools functools datetime time calendar struct uuid platform dataclasses "
    "pprint bisect heapq unicodedata html difflib copy enum tomllib ast keyword token "
    "urllib.parse xml.etree.ElementTree importlib.metadata zoneinfo colorsys csv binascii "
    "secrets numbers array abc locale zlib ipaddress shlex fnmatch posixpath ntpath stat errno "
    "contextlib collections.abc os.path sysconfig __future__ graphlib reprlib packaging "
    "packaging.version toml"
)
# Names of modules that also do other things; these only look or calculate.
HARMLESS = names(
    "os.getcwd os.environ os.environ.get os.getenv os.sep os.linesep os.name os.cpu_count "
    "os.getpid os.getuid os.getgid os.uname os.path os.pathsep os.extsep os.curdir os.devnull "
    "os.getppid os.get_terminal_size os.environ.items os.environ.keys os.environ.values "
    "os.urandom os.fspath sys.argv sys.exit sys.stdin sys.stdout sys.stderr sys.version "
    "sys.version_info sys.platform sys.path sys.executable sys.prefix sys.base_prefix "
    "sys.maxsize sys.byteorder sys.getsizeof sys.stdin.read sys.stdin.buffer sys.stdin.readline "
    "sys.stdin.readlines sys.implementation sys.stdout.write sys.stdout.buffer sys.stdout.flush "
    "sys.stderr.write sys.stdin.buffer.read sys.stdout.buffer.write sys.getdefaultencoding "
    "sys.getrecursionlimit sys.float_info sys.flags sys.getrefcount sys.api_version "
    "sys.builtin_module_names sys.stdlib_module_names pathlib.Path pathlib.PurePath "
    "pathlib.PosixPath pathlib.Path.cwd pathlib.Path.home pathlib.PurePosixPath shutil.which "
    "shutil.disk_usage shutil.get_terminal_size importlib.util.find_spec socket.gethostname "
    "getpass.getuser tempfile.gettempdir sqlite3.sqlite_version ssl.OPENSSL_VERSION io.StringIO "
    "io.BytesIO io.TextIOWrapper inspect.signature inspect.getsource inspect.getdoc "
    "inspect.getfile inspect.isclass inspect.isfunction inspect.cleandoc operator.itemgetter "
    "operator.add operator.mul operator.sub operator.eq operator.lt operator.gt "
    "traceback.print_exc traceback.format_exc typing.Any typing.Optional typing.Union "
    "typing.List typing.Dict typing.NamedTuple warnings.filterwarnings warnings.simplefilter "
    "yaml.safe_load yaml.safe_load_all yaml.safe_dump yaml.dump site.getsitepackages "
    "html.escape"
)
METHODS = names(
    "append extend insert pop remove clear index count sort reverse copy get items keys values "
    "setdefault update popitem add discard union intersection difference symmetric_difference "
    "issubset issuperset join split rsplit splitlines strip lstrip rstrip startswith endswith "
    "removeprefix removesuffix upper lower title capitalize swapcase casefold center ljust "
    "rjust zfill find rfind rindex replace encode decode format format_map isdigit isalpha "
    "isalnum isspace isupper islower isnumeric isdecimal isidentifier isascii istitle partition "
    "rpartition translate maketrans expandtabs hex fromhex to_bytes from_bytes bit_length "
    "as_integer_ratio is_integer conjugate group groups groupdict span start end match "
    "fullmatch search sub subn findall finditer expand read readline readlines write writelines "
    "flush close seek tell readable writable isoformat strftime timestamp date time weekday "
    "isoweekday isocalendar total_seconds astimezone utctimetuple timetuple toordinal digest "
    "hexdigest most_common elements appendleft popleft rotate quantize normalize "
    "to_integral_value as_tuple is_nan sqrt getroot findtext iter iterfind itertext text attrib "
    "tostring writerow writeheader writerows joinpath with_suffix with_name with_stem "
    "relative_to is_relative_to as_posix as_uri parent parts name stem suffix suffixes "
    "is_absolute match cache_clear cache_info __len__ __repr__ __str__"
)
READING = names(
    "read_text read_bytes exists is_file is_dir stat lstat iterdir glob rglob is_symlink "
    "resolve absolute expanduser samefile readlink owner group walk"
)
LOOKING = names(
    "exists is_file is_dir stat lstat is_symlink resolve absolute expanduser samefile readlink "
    "owner group"
)
WRITING = names("write_text write_bytes touch mkdir chmod")
REMOVING = names("unlink rmdir")
SEEN = names(
    "__version__ __name__ __file__ __doc__ __all__ __path__ VERSION version __annotations__ "
    "__len__ __repr__ __str__ __module__ __qualname__ __spec__ __package__"
)
LITERAL_CALLS = names("pathlib.Path pathlib.PosixPath pathlib.PurePath")
PROGRAMS = names(
    "subprocess.run subprocess.call subprocess.check_call subprocess.check_output subprocess.Popen"
)
TEXTS = names(
    "os.system os.popen subprocess.getoutput subprocess.getstatusoutput commands.getoutput"
)
DELETES = names("os.remove os.unlink os.rmdir os.removedirs")
MAKES = names("os.mkdir os.makedirs os.chmod os.chown os.utime os.truncate os.mkfifo os.mknod")
COPIES = names("shutil.copy shutil.copy2 shutil.copyfile shutil.copytree shutil.copymode")
MOVES = names("shutil.move os.rename os.replace os.renames")
LOOKS = names(
    "os.listdir os.scandir os.walk os.stat os.access os.lstat os.readlink glob.glob glob.iglob"
)
REQUESTS = {
    f"{module}.{name}": name.upper()
    for module in ("requests", "httpx")
    for name in ("get", "post", "put", "delete", "patch", "head", "options")
}
FETCHES = names("urllib.request.urlopen urllib.request.urlretrieve urllib.request.Request")
