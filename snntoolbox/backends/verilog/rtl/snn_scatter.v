// Takes one spike after the other from a queue and counts through its targets: for each entry of the axes LOOP beats.
// A spike takes max(1, entries * LOOP) clocks. A marker stays at the head of the queue until `step`.
module snn_scatter #(
    parameter BITS = 4,
    parameter [BITS-1:0] LOOP_END = 0
) (
    input  wire            clk,
    input  wire            rst,
    input  wire            head_valid,
    input  wire            head_marker,
    output wire            pop,
    input  wire            grant,
    output wire            wanted,
    output wire            at_marker,
    input  wire            step,
    output wire            load,
    output wire            advance,
    input  wire            none,
    input  wire            last,
    output wire            beat,
    output reg  [BITS-1:0] loop
);
    reg running;
    wire spike = head_valid & ~head_marker;
    wire loop_end = loop == LOOP_END;
    wire finished = none | (loop_end & last);
    assign load = grant & spike & (~running | finished);
    assign pop = load | step;
    assign wanted = running | spike;
    assign at_marker = head_valid & head_marker & ~running;
    assign beat = running & ~none;
    assign advance = beat & loop_end;
    always @(posedge clk) begin
        if (rst) running <= 1'b0;
        else if (load) running <= 1'b1;
        else if (finished) running <= 1'b0;
        if (load) loop <= {BITS{1'b0}};
        else if (beat) loop <= loop_end ? {BITS{1'b0}} : loop + 1'b1;
    end
endmodule
