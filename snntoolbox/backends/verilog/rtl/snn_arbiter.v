// Gives the membranes of a layer to one of its ports at a time, for as long as that has spikes to deliver.
module snn_arbiter #(
    parameter PORTS = 2
) (
    input  wire             clk,
    input  wire             rst,
    input  wire [PORTS-1:0] wanted,
    output reg  [PORTS-1:0] grant
);
    always @(posedge clk)
        if (rst) grant <= {PORTS{1'b0}};
        // The lowest bit that is set.
        else if ((wanted & grant) == {PORTS{1'b0}}) grant <= wanted & (~wanted + 1'b1);
endmodule
