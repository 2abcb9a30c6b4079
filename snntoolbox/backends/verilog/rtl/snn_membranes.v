// The potentials of a layer, LANES to a word: adds what spikes deliver, and lets a scan read and replace them.
// A beat reads its word in one clock and writes the sum in the next; `delta` comes with the second.
// FORWARD = 1 where two beats in a row may meet the same word. What is delivered is shifted by the digit of the
// step in which its beat came; without DIGITS that is 0.
module snn_membranes #(
    parameter LANES = 1,
    parameter BITS = 16,
    parameter ADDRESS = 4,
    parameter WORDS = 16,
    parameter FORWARD = 0,
    parameter DIGITS = 0,
    parameter PLACE = 1
) (
    input  wire                  clk,
    input  wire                  rst,
    input  wire                  beat,
    input  wire [ADDRESS-1:0]    beat_word,
    input  wire [LANES*BITS-1:0] delta,
    input  wire [PLACE-1:0]      digit,
    input  wire                  scan_read,
    input  wire [ADDRESS-1:0]    scan_word,
    output wire [LANES*BITS-1:0] potential,
    input  wire                  scan_write,
    input  wire [ADDRESS-1:0]    scan_write_word,
    input  wire [LANES*BITS-1:0] scan_potential
);
    reg adding;
    reg [ADDRESS-1:0] word;
    wire [LANES*BITS-1:0] stored, sum;
    always @(posedge clk) begin
        adding <= beat & ~rst;
        if (beat) word <= beat_word;
    end
    generate
        if (FORWARD != 0) begin : forward
            reg again;
            reg [LANES*BITS-1:0] newest;
            always @(posedge clk) begin
                again <= adding & beat & (beat_word == word);
                newest <= sum;
            end
            assign potential = again ? newest : stored;
        end else begin : direct
            assign potential = stored;
        end
    endgenerate
    wire [PLACE-1:0] place;
    generate
        if (DIGITS != 0) begin : digits
            reg [PLACE-1:0] held;
            always @(posedge clk) if (beat) held <= digit;
            assign place = held;
        end else begin : once
            assign place = digit;
        end
    endgenerate
    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : lane
            assign sum[i*BITS +: BITS] = potential[i*BITS +: BITS] + (delta[i*BITS +: BITS] << place);
        end
    endgenerate
    snn_ram #(.WIDTH(LANES * BITS), .ADDRESS(ADDRESS), .DEPTH(WORDS)) memory (
        .clk(clk),
        .write(adding | scan_write),
        .write_address(adding ? word : scan_write_word),
        .write_data(adding ? sum : scan_potential),
        .read(beat | scan_read),
        .read_address(beat ? beat_word : scan_word),
        .read_data(stored)
    );
endmodule
