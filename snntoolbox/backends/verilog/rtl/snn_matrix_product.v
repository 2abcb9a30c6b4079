// Sums of products of counts: start + the sum of own[s, a, k] * other[s, b, k] over the terms k, for neuron after neuron:
// a runs fastest, then s, then b. Both factors are memories that spikes add to, a row of terms behind the other. No
// multiplier: the count with more bits is added for each binary digit of the other one, the lowest first, and as long as
// any is left; all ones are a sign. The terms of a neuron follow one another without a gap. `run` stays up to `done`,
// which stays until `take`. Takes 3 clocks, and for each term as many as it has digits, at least one.
module snn_matrix_product #(
    parameter BITS = 16,
    parameter OWN = 8,
    parameter OWN_ADDRESS = 4,
    parameter OWN_WORDS = 16,
    parameter [OWN_ADDRESS-1:0] OWN_END = 15,
    parameter OWN_FORWARD = 0,
    parameter OTHER = 8,
    parameter OTHER_ADDRESS = 4,
    parameter OTHER_WORDS = 16,
    parameter [OTHER_ADDRESS-1:0] OTHER_END = 15,
    parameter OTHER_FORWARD = 0,
    parameter TERM = 2,
    parameter [TERM-1:0] TERM_END = 3,
    parameter ROW = 2,
    parameter [ROW-1:0] ROW_END = 3,
    parameter STACK = 1,
    parameter [STACK-1:0] STACK_END = 0,
    parameter [OTHER_ADDRESS-1:0] AGAIN = 0,
    parameter [OTHER_ADDRESS-1:0] NEXT = 0,
    parameter [OTHER_ADDRESS-1:0] OVER = 0,
    parameter DIGITS = 0,
    parameter PLACE = 1
) (
    input  wire                     clk,
    input  wire                     rst,
    // spikes that arrive
    input  wire                     own_beat,
    input  wire [OWN_ADDRESS-1:0]   own_word,
    input  wire [OWN-1:0]           own_delta,
    input  wire                     other_beat,
    input  wire [OTHER_ADDRESS-1:0] other_word,
    input  wire [OTHER-1:0]         other_delta,
    input  wire [PLACE-1:0]         digit,
    // the end of a sample: counts become 0, and are `ready` then
    input  wire                     clear,
    output wire                     ready,
    // the neuron whose turn it is
    input  wire                     run,
    input  wire [BITS-1:0]          start,
    output wire                     done,
    input  wire                     take,
    output wire [BITS-1:0]          opened
);
    localparam COUNT = (OWN < OTHER) ? OWN : OTHER;
    localparam [1:0] IDLE = 2'd0, ADD = 2'd1, DONE = 2'd2;
    reg [1:0] state;
    // A term whose counts are there, and whether it is the neuron's last.
    reg fetched, last;
    reg [BITS-1:0] sum, height;
    reg [COUNT-1:0] rest;
    wire [OWN-1:0] own_count;
    wire [OTHER-1:0] other_count;
    wire own_ready, other_ready;
    assign ready = own_ready & other_ready;
    assign done = state == DONE;
    assign opened = sum;

    wire negative = rest == {COUNT{1'b1}};
    wire over = negative | (rest[COUNT-1:1] == {(COUNT - 1){1'b0}});
    wire load = (state == ADD) & over & fetched;
    wire read = ((state == IDLE) & run & ready) | (load & ~last);
    wire [BITS-1:0] added = rest[0] ? height ^ {BITS{negative}} : {BITS{1'b0}};

    reg [TERM-1:0] term;
    reg [ROW-1:0] row;
    reg [STACK-1:0] product;
    reg [OWN_ADDRESS-1:0] own_at;
    reg [OTHER_ADDRESS-1:0] other_at;
    wire term_end = term == TERM_END;
    wire row_end = term_end & (row == ROW_END);
    wire product_end = row_end & (product == STACK_END);
    always @(posedge clk)
        if (rst) begin
            term <= {TERM{1'b0}};
            row <= {ROW{1'b0}};
            product <= {STACK{1'b0}};
            own_at <= {OWN_ADDRESS{1'b0}};
            other_at <= {OTHER_ADDRESS{1'b0}};
        end else if (read) begin
            term <= term_end ? {TERM{1'b0}} : term + 1'b1;
            if (term_end) row <= row_end ? {ROW{1'b0}} : row + 1'b1;
            if (row_end) product <= product_end ? {STACK{1'b0}} : product + 1'b1;
            own_at <= product_end ? {OWN_ADDRESS{1'b0}} : own_at + 1'b1;
            if (product_end) other_at <= (other_at == OTHER_END) ? {OTHER_ADDRESS{1'b0}} : other_at + OVER;
            else other_at <= other_at + (row_end ? NEXT : term_end ? AGAIN : {{(OTHER_ADDRESS - 1){1'b0}}, 1'b1});
        end

    always @(posedge clk) begin
        if (rst) begin
            state <= IDLE;
            fetched <= 1'b0;
        end else begin
            case (state)
                IDLE: if (read) state <= ADD;
                ADD: if (over & ~fetched) state <= DONE;
                default: if (take) state <= IDLE;
            endcase
            if (read) fetched <= 1'b1;
            else if (load) fetched <= 1'b0;
        end
        if (read) last <= term_end;
        sum <= (state == IDLE) ? start : sum + added + {{(BITS - 1){1'b0}}, rest[0] & negative};
    end
    generate
        if (OWN < OTHER) begin : by_own
            always @(posedge clk)
                if (load) begin
                    height <= {{(BITS - OTHER){other_count[OTHER-1]}}, other_count};
                    rest <= own_count;
                end else begin
                    height <= height << 1;
                    rest <= (over | (state == IDLE)) ? {COUNT{1'b0}} : {rest[COUNT-1], rest[COUNT-1:1]};
                end
        end else begin : by_other
            always @(posedge clk)
                if (load) begin
                    height <= {{(BITS - OWN){own_count[OWN-1]}}, own_count};
                    rest <= other_count;
                end else begin
                    height <= height << 1;
                    rest <= (over | (state == IDLE)) ? {COUNT{1'b0}} : {rest[COUNT-1], rest[COUNT-1:1]};
                end
        end
    endgenerate

    snn_factor #(
        .BITS(OWN), .ADDRESS(OWN_ADDRESS), .WORDS(OWN_WORDS), .WORD_END(OWN_END), .FORWARD(OWN_FORWARD),
        .DIGITS(DIGITS), .PLACE(PLACE)
    ) own (
        .clk(clk), .rst(rst), .beat(own_beat), .beat_word(own_word), .delta(own_delta), .digit(digit),
        .clear(clear), .ready(own_ready), .read(read), .word(own_at), .count(own_count)
    );
    snn_factor #(
        .BITS(OTHER), .ADDRESS(OTHER_ADDRESS), .WORDS(OTHER_WORDS), .WORD_END(OTHER_END), .FORWARD(OTHER_FORWARD),
        .DIGITS(DIGITS), .PLACE(PLACE)
    ) other (
        .clk(clk), .rst(rst), .beat(other_beat), .beat_word(other_word), .delta(other_delta), .digit(digit),
        .clear(clear), .ready(other_ready), .read(read), .word(other_at), .count(other_count)
    );
endmodule
