from benchmarks.race import *
from benchmarks.recordings import question
from benchmarks.question import TASKS
import sys
q=question(int(float(sys.argv[1])))
names=["streamer","ptufile","tttrlib","phconvert","trattoria","eta","masks"]
cs=[Contender(n) for n in names]
for c in cs: print(c.name,c.versions,c.gone,flush=True)
for t in [*list(TASKS)[2:],"states, one thread","states, with first look"]:
    r=race(t,cs,q,int(sys.argv[2]))
    for n,x in r.items():
        print(t,n, x.reason or f"{q and float(sys.argv[1])/x.median_s/1e6:.1f} M/s cpu {min(x.cpu_s)/float(sys.argv[1])*1e9:.1f} ns x{0 if x.reason or r['streamer'].reason else ratio(r['streamer'],x):.2f} {x.found}",flush=True)
