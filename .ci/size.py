"""Fails when the zip of a built function is larger than a limit: size.py FOLDER BYTES.

The zip is made as `sam package` makes it: deflate, at the default level.
"""

import io
import pathlib
import sys
import zipfile

folder, limit = pathlib.Path(sys.argv[1]), int(sys.argv[2])
files = sorted(p for p in folder.rglob("*") if p.is_file())
if not files:
    sys.exit(f"{folder}: nothing was built there; run sam build first")
buffer = io.BytesIO()
with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
    for file in files:
        archive.write(file, file.relative_to(folder))
size = len(buffer.getvalue())
print(f"zip of {folder}: {size:,} bytes (goal: at most {limit:,}); unpacked {sum(p.stat().st_size for p in files):,} bytes")
if size > limit:
    sys.exit(f"{size - limit:,} bytes too many: see what grew with `go tool nm -size -sort size`, or leave a dependency out")
