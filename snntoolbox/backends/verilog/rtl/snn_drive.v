// The input current of a layer for one sample: loaded neuron after neuron, read word by word with the scan.
module snn_drive #(
    parameter LANES = 1,
    parameter BITS = 8,
    parameter ADDRESS = 4,
    parameter WORDS = 16,
    parameter [ADDRESS-1:0] WORD_END = 15
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  load,
    input  wire [BITS-1:0]       current,
    input  wire                  read,
    input  wire [ADDRESS-1:0]    word,
    output wire [LANES*BITS-1:0] currents
);
    reg [ADDRESS-1:0] loaded;
    wire full;
    wire [LANES*BITS-1:0] gathered;
    generate
        if (LANES == 1) begin : one
            assign full = load;
            assign gathered = current;
        end else begin : several
            // The last of a word's lanes writes it.
            reg [(LANES-1)*BITS-1:0] earlier;
            reg [LANES-1:0] place;
            assign full = load & place[LANES-1];
            assign gathered = {current, earlier};
            always @(posedge clk) begin
                if (rst) place <= {{(LANES - 1){1'b0}}, 1'b1};
                else if (load) place <= {place[LANES-2:0], place[LANES-1]};
                if (load) earlier <= gathered[LANES*BITS-1:BITS];
            end
        end
    endgenerate
    always @(posedge clk)
        if (rst) loaded <= {ADDRESS{1'b0}};
        else if (full) loaded <= (loaded == WORD_END) ? {ADDRESS{1'b0}} : loaded + 1'b1;
    snn_ram #(.WIDTH(LANES * BITS), .ADDRESS(ADDRESS), .DEPTH(WORDS)) memory (
        .clk(clk), .write(full), .write_address(loaded), .write_data(gathered),
        .read(read), .read_address(word), .read_data(currents)
    );
endmodule
