// Takes the values of a sample, {sign, magnitude}, and gives their binary digits as spikes, the most significant first:
// in each of the first BITS steps those whose digit is set, {marker, sign, word}, then a marker; later markers alone.
// Only values other than 0 are kept, each with the word of its spikes, which comes with it; `in_last` with the last one.
// `open` lets a sample in. Takes VALUES clocks to load, and in each of the BITS steps one for each value that is kept.
module snn_digits #(
    parameter STEPS = 8,
    parameter BITS = 4,
    parameter PLACE = 2,
    parameter [PLACE-1:0] TOP = 3,
    parameter SIGNED = 0,
    parameter NUMBER = 4,
    parameter VALUES = 16,
    parameter WORD = 4
) (
    input  wire                   clk,
    input  wire                   rst,
    input  wire [STEPS-1:0]       steps,
    input  wire                   open,
    input  wire                   in_valid,
    output wire                   in_ready,
    input  wire [BITS+SIGNED-1:0] in_value,
    input  wire [WORD-1:0]        in_word,
    input  wire                   in_last,
    output wire                   load,
    output wire                   out_valid,
    input  wire                   out_ready,
    output wire                   out_marker,
    output wire                   out_sign,
    output wire [WORD-1:0]        out_word
);
    localparam VALUE = BITS + SIGNED;
    reg sending, shown, digits_left;
    // One more than an address: all values may be kept.
    reg [NUMBER:0] kept, at;
    reg [PLACE-1:0] digit;
    reg [STEPS-1:0] left;
    assign load = in_valid & in_ready;
    wire keep = load & (in_value[BITS-1:0] != {BITS{1'b0}});
    assign in_ready = open & ~sending;

    wire [VALUE-1:0] value;
    wire [BITS-1:0] magnitude = value[BITS-1:0];
    wire set = shown & digits_left & magnitude[digit];
    wire go = sending & (~set | out_ready);
    wire more = digits_left & (at != kept);
    assign out_marker = sending & ~shown & ~more;
    assign out_valid = set | out_marker;
    generate
        if (SIGNED != 0) assign out_sign = ~out_marker & value[VALUE-1];
        else assign out_sign = 1'b0;
    endgenerate
    wire marked = out_marker & out_ready;
    wire last = left == {{(STEPS - 1){1'b0}}, 1'b1};

    always @(posedge clk) begin
        if (rst) begin
            sending <= 1'b0;
            shown <= 1'b0;
            kept <= {(NUMBER + 1){1'b0}};
        end else begin
            if (keep) kept <= kept + 1'b1;
            if (load & in_last) sending <= 1'b1;
            if (go) shown <= more;
            if (marked & last) begin
                sending <= 1'b0;
                kept <= {(NUMBER + 1){1'b0}};
            end
        end
        if (~sending) begin
            at <= {(NUMBER + 1){1'b0}};
            digit <= TOP;
            digits_left <= 1'b1;
            left <= steps;
        end else if (marked) begin
            at <= {(NUMBER + 1){1'b0}};
            digit <= digit - 1'b1;
            digits_left <= digits_left & (digit != {PLACE{1'b0}});
            left <= left - 1'b1;
        end else if (go & more) at <= at + 1'b1;
    end

    snn_ram #(.WIDTH(WORD + VALUE), .ADDRESS(NUMBER), .DEPTH(VALUES)) memory (
        .clk(clk), .write(keep), .write_address(kept[NUMBER-1:0]), .write_data({in_word, in_value}),
        .read(go & more), .read_address(at[NUMBER-1:0]), .read_data({out_word, value})
    );
endmodule
