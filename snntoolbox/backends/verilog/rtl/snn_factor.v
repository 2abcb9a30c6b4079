// The counts of one factor of sums of products: adds what spikes deliver, lets one count be read after the other while
// no spike comes, and puts 0 into all after `clear` and reset, word after word; `ready` when that is over.
module snn_factor #(
    parameter BITS = 8,
    parameter ADDRESS = 4,
    parameter WORDS = 16,
    parameter [ADDRESS-1:0] WORD_END = 15,
    parameter FORWARD = 0,
    parameter DIGITS = 0,
    parameter PLACE = 1
) (
    input  wire               clk,
    input  wire               rst,
    input  wire               beat,
    input  wire [ADDRESS-1:0] beat_word,
    input  wire [BITS-1:0]    delta,
    input  wire [PLACE-1:0]   digit,
    input  wire               clear,
    output wire               ready,
    input  wire               read,
    input  wire [ADDRESS-1:0] word,
    output wire [BITS-1:0]    count
);
    reg clearing;
    reg [ADDRESS-1:0] cleared;
    assign ready = ~clearing;
    always @(posedge clk)
        if (rst | clear) begin
            clearing <= 1'b1;
            cleared <= {ADDRESS{1'b0}};
        end else if (clearing) begin
            clearing <= cleared != WORD_END;
            cleared <= cleared + 1'b1;
        end
    snn_membranes #(
        .LANES(1), .BITS(BITS), .ADDRESS(ADDRESS), .WORDS(WORDS), .FORWARD(FORWARD), .DIGITS(DIGITS), .PLACE(PLACE)
    ) sums (
        .clk(clk), .rst(rst),
        .beat(beat), .beat_word(beat_word), .delta(delta), .digit(digit),
        .scan_read(read), .scan_word(word), .potential(count),
        .scan_write(clearing), .scan_write_word(cleared), .scan_potential({BITS{1'b0}})
    );
endmodule
