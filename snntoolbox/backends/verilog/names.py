"""Gives every part of the hardware a name that Verilog and SystemVerilog allow."""

from __future__ import annotations

import re

from snntoolbox.ir.foreign import file_name

_KEYWORDS = frozenset(
    re.findall(
        r"\w+",
        """
    alias always always_comb always_ff always_latch and assert assign assume before begin bind bins binsof bit
    break buf byte case cell chandle char checker class clocking config const constraint context continue cover
    covergroup coverpoint cross deassign default defparam design disable dist do edge else end endcase
    endchecker endclass endclocking endconfig endfunction endgenerate endgroup endinterface endmodule endpackage
    endprimitive endprogram endproperty endsequence endspecify endtable endtask enum event eventually expect
    export extends extern final first_match for force foreach forever fork forkjoin function generate genvar
    global if iff ignore_bins illegal_bins implements implies import initial inout input inside instance int
    integer interconnect interface intersect join join_any join_none large let liblist library local localparam
    logic long macromodule matches medium modport module nand negedge nettype new nexttime nor not null or
    output package parameter posedge primitive priority program property protected pulldown pullup pure rand
    randc randcase randsequence rcmos real realtime ref reg release repeat restrict return s_always s_eventually
    s_nexttime s_until scalared sequence short shortint shortreal signed small soft solve specify specparam
    static string strong strong0 strong1 struct super supply0 supply1 sync_accept_on sync_reject_on table tagged
    task this throughout time timeprecision timeunit tran tri tri0 tri1 triand trior trireg type typedef union
    unique unique0 unsigned until until_with untyped use var vectored virtual void wait wait_order wand weak
    weak0 weak1 while wildcard wire with within wor xnor xor
        """,
    )
)


LONGEST = 100
"""Letters of a name: files are called like modules, with more behind."""


class Names:
    """Gives every part a name of its own that is one in Verilog."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def module(self, wanted: str) -> str:
        """A name like the wanted one."""
        name = re.sub(r"\W+", "_", wanted, flags=re.ASCII).strip("_")[:LONGEST] or "layer"
        if name[0].isdigit() or name.lower() in _KEYWORDS or file_name(name) != name or name.startswith(("snn_", "tb")):
            name = f"layer_{name}"
        unique, number = name, 2
        while unique.lower() in self.taken:
            unique, number = f"{name}_{number}", number + 1
        self.taken.add(unique.lower())
        return unique
