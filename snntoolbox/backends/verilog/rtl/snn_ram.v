// A memory with one write and one read port; a read in the clock of a write to the same word gives the old word.
module snn_ram #(
    parameter WIDTH = 8,
    parameter ADDRESS = 4,
    parameter DEPTH = 16
) (
    input  wire               clk,
    input  wire               write,
    input  wire [ADDRESS-1:0] write_address,
    input  wire [WIDTH-1:0]   write_data,
    input  wire               read,
    input  wire [ADDRESS-1:0] read_address,
    output reg  [WIDTH-1:0]   read_data
);
    reg [WIDTH-1:0] words [0:DEPTH-1];
    always @(posedge clk) begin
        if (write) words[write_address] <= write_data;
        if (read) read_data <= words[read_address];
    end
endmodule
