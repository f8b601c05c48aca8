"""Writes a C++ source that holds files as data: embed.py ROOT OUT FILE…"""
import pathlib
import sys


def literal(data: bytes) -> str:
    """Short adjacent literals: compilers limit the length of one."""
    lines = []
    for start in range(0, len(data), 64):
        chunk = "".join(f"\\{byte:03o}" for byte in data[start:start + 64])
        lines.append(f'    "{chunk}"')
    return "\n".join(lines) or '    ""'


def main() -> None:
    root, out, files = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
    parts = ['#include "platform/base/embedded_files.h"\n', "namespace hearth::base {\n",
             "namespace {\n", "constexpr EmbeddedFile kFiles[] = {"]
    for name in sorted(files):
        data = (root / name).read_bytes()
        parts.append(f'  {{"{name}", std::string_view(\n{literal(data)}, {len(data)})}},')
    parts += ["};", "}  // namespace\n",
              "std::span<const EmbeddedFile> embedded_files() { return kFiles; }\n",
              "}  // namespace hearth::base\n"]
    out.write_text("\n".join(parts))


main()
