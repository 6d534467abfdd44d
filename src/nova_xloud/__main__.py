import sys
from pathlib import Path
from nova_xloud import bases, tree

src, out = Path(sys.argv[2]), Path(sys.argv[3])
if not src.exists():
    src = Path(f"/tmp/w/src/nova-{src}")
b = bases.describe(src)
c = tree.compose(b, src)
for f in c.failures:
    print("FAIL", f.path, type(f.error).__name__, f.error)
print("written:", *tree.write(b, src, c.files, out), sep="\n  ")
