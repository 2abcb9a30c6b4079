// Takes one spike after the other from a queue and goes through the list of its synapses, one a clock.
// STARTS holds {none, first synapse} for each source neuron, LIST {last, neuron, weight} for each synapse.
// A spike takes 1 + synapses clocks. A marker stays at the head of the queue until `step`.
module snn_list #(
    parameter INDEX = 4,
    parameter SOURCES = 16,
    parameter PLACE = 4,
    parameter SYNAPSES = 16,
    parameter NEURON = 4,
    parameter WEIGHT = 8,
    parameter STARTS = "",
    parameter LIST = ""
) (
    input  wire              clk,
    input  wire              rst,
    input  wire              head_valid,
    input  wire              head_marker,
    input  wire [INDEX-1:0]  index,
    output wire              pop,
    input  wire              grant,
    output wire              wanted,
    output wire              at_marker,
    input  wire              step,
    output wire              load,
    output wire              beat,
    output wire [NEURON-1:0] neuron,
    output reg  [WEIGHT-1:0] weight
);
    reg looking, running;
    reg [PLACE-1:0] place;
    wire none, last;
    wire [PLACE-1:0] first;
    wire [WEIGHT-1:0] found;
    wire spike = head_valid & ~head_marker;
    wire busy = looking | running;
    wire finished = (looking & none) | (running & last);
    wire more = (looking & ~none) | (running & ~last);
    wire [PLACE-1:0] here = looking ? first : place;
    assign load = grant & spike & (~busy | finished);
    assign pop = load | step;
    assign wanted = busy | spike;
    assign at_marker = head_valid & head_marker & ~busy;
    assign beat = running;
    always @(posedge clk) begin
        looking <= load & ~rst;
        running <= more & ~rst;
        if (more) place <= here + 1'b1;
        if (running) weight <= found;
    end
    snn_rom #(.WIDTH(1 + PLACE), .ADDRESS(INDEX), .DEPTH(SOURCES), .FILE(STARTS)) starts (
        .clk(clk), .read(load), .address(index), .data({none, first})
    );
    snn_rom #(.WIDTH(1 + NEURON + WEIGHT), .ADDRESS(PLACE), .DEPTH(SYNAPSES), .FILE(LIST)) synapses (
        .clk(clk), .read(more), .address(here), .data({last, neuron, found})
    );
endmodule
