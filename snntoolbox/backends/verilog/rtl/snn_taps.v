// What a spike at one coordinate of its layer reaches along this axis: a row of 2**SLOT entries per coordinate.
// An entry holds {none, last, neuron, weight}: offsets to the neuron and to the word of weights, which add up over the
// axes. Stride, padding, dilation, pooling, slices and offsets of a concatenation are all in these few numbers.
module snn_taps #(
    parameter COORDINATE = 5,
    parameter SLOT = 1,
    parameter NEURON = 8,
    parameter WEIGHT = 8,
    parameter ROWS = 32,
    parameter FILE = ""
) (
    input  wire                  clk,
    input  wire                  load,
    input  wire [COORDINATE-1:0] coordinate,
    input  wire                  advance,
    output wire                  none,
    output wire                  last,
    output wire [NEURON-1:0]     neuron,
    output wire [WEIGHT-1:0]     weight
);
    reg [COORDINATE-1:0] row;
    reg [SLOT-1:0] slot;
    // From the last entry back to the first: an outer axis may go on to its next entry meanwhile.
    wire [SLOT-1:0] next_slot = (load | last) ? {SLOT{1'b0}} : slot + 1'b1;
    wire [COORDINATE-1:0] next_row = load ? coordinate : row;
    always @(posedge clk)
        if (load | advance) begin
            row <= next_row;
            slot <= next_slot;
        end
    snn_rom #(
        .WIDTH(2 + NEURON + WEIGHT), .ADDRESS(COORDINATE + SLOT), .DEPTH(ROWS << SLOT), .FILE(FILE)
    ) entries (
        .clk(clk), .read(load | advance), .address({next_row, next_slot}), .data({none, last, neuron, weight})
    );
endmodule
