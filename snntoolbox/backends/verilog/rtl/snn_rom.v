// A memory that is only read, one clock after its address; FILE is read by $readmemh.
module snn_rom #(
    parameter WIDTH = 8,
    parameter ADDRESS = 4,
    parameter DEPTH = 16,
    parameter FILE = ""
) (
    input  wire               clk,
    input  wire               read,
    input  wire [ADDRESS-1:0] address,
    output reg  [WIDTH-1:0]   data
);
    reg [WIDTH-1:0] words [0:DEPTH-1];
    generate
        if (FILE != "") begin : filled
            initial $readmemh(FILE, words);
        end
    endgenerate
    always @(posedge clk) if (read) data <= words[address];
endmodule
