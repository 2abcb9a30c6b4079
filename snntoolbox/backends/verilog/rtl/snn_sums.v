// A read-out: sums what spikes deliver, and a bias or input current each step; after a sample's last step it gives the
// sum of each neuron, then the index of the largest (the first of equals).
// Steps up to `forget` do not count. What a step counts says `snn_steps`. Takes WORDS + 2 clocks in steps in which anything is to be added or forgotten.
module snn_sums #(
    parameter LANES = 1,
    parameter BITS = 16,
    parameter ADDRESS = 4,
    parameter WORDS = 16,
    parameter [ADDRESS-1:0] WORD_END = 15,
    parameter FORWARD = 0,
    parameter ADDS = 1,
    parameter STEPS = 8,
    parameter PRESENTED = 0,
    parameter DIGITS = 0,
    parameter PLACE = 1,
    parameter TURNS = 1,
    parameter [TURNS*PLACE-1:0] TOPS = 0,
    parameter INDEX = 4
) (
    input  wire                  clk,
    input  wire                  rst,
    output wire                  open,
    input  wire                  beat,
    input  wire [ADDRESS-1:0]    beat_word,
    input  wire [LANES*BITS-1:0] delta,
    input  wire                  at_marker,
    input  wire                  at_last,
    output wire                  step,
    input  wire [STEPS-1:0]      forget,
    output wire                  scan_read,
    output wire [ADDRESS-1:0]    scan_word,
    input  wire [LANES*BITS-1:0] current,
    input  wire [LANES*BITS-1:0] later,
    output wire                  sum_valid,
    input  wire                  sum_ready,
    output wire [BITS-1:0]       sum,
    output wire                  sum_class,
    output reg  [INDEX-1:0]      best,
    output wire                  done
);
    localparam [1:0] EVENTS = 2'd0, SCAN = 2'd1, CLASS = 2'd2;
    reg [1:0] state;
    reg clearing, last, reading, updating;
    reg [ADDRESS-1:0] word, updated_word;
    reg [STEPS-1:0] steps;
    wire [LANES*BITS-1:0] potential, charged;
    reg [LANES*BITS-1:0] shown;
    reg [LANES-1:0] waiting;
    reg first;
    reg [INDEX-1:0] index;
    reg signed [BITS-1:0] largest;

    wire free = (waiting == {LANES{1'b0}}) | (sum_ready & ((waiting >> 1) == {LANES{1'b0}}));
    wire go = (state == SCAN) & free;
    wire [STEPS-1:0] this_step = steps + 1'b1;
    wire forgetting = this_step == forget;
    assign open = state == EVENTS;
    assign step = open & at_marker;
    assign scan_read = go & reading;
    assign scan_word = word;
    assign sum_class = state == CLASS;
    assign sum_valid = sum_class | waiting[0];
    assign sum = shown[BITS-1:0];
    assign done = sum_class & sum_ready;

    wire [PLACE-1:0] digit, scanned;
    wire given;
    // A read-out does not fire.
    /* verilator lint_off PINCONNECTEMPTY */
    snn_steps #(
        .STEPS(STEPS), .PRESENTED(PRESENTED), .DIGITS(DIGITS), .PLACE(PLACE), .TURNS(TURNS), .TOPS(TOPS)
    ) times (
        .clk(clk), .rst(rst), .step(step), .at_last(at_last),
        .digit(digit), .scanned(scanned), .ahead(), .opens(), .fires(), .given(given)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : lane
            wire [BITS-1:0] there = given ? current[i*BITS +: BITS] : later[i*BITS +: BITS];
            assign charged[i*BITS +: BITS] = potential[i*BITS +: BITS] + (there << scanned);
        end
    endgenerate

    always @(posedge clk) begin
        if (rst) begin
            state <= SCAN;
            clearing <= 1'b1;
            last <= 1'b0;
            reading <= 1'b1;
            updating <= 1'b0;
            word <= {ADDRESS{1'b0}};
            steps <= {STEPS{1'b0}};
            waiting <= {LANES{1'b0}};
            first <= 1'b1;
            index <= {INDEX{1'b0}};
        end else begin
            if (sum_valid & sum_ready & ~sum_class) begin
                waiting <= waiting >> 1;
                first <= 1'b0;
                index <= index + 1'b1;
            end
            if (step) begin
                steps <= at_last ? {STEPS{1'b0}} : this_step;
                last <= at_last;
                clearing <= at_last | forgetting;
                if ((ADDS != 0) | at_last | forgetting) begin
                    state <= SCAN;
                    reading <= 1'b1;
                end
            end
            if (go) begin
                updating <= reading;
                if (updating & last) waiting <= {LANES{1'b1}};
                if (reading) begin
                    word <= (word == WORD_END) ? {ADDRESS{1'b0}} : word + 1'b1;
                    reading <= word != WORD_END;
                end else if (~updating) state <= last ? CLASS : EVENTS;
            end
            if (done) begin
                state <= EVENTS;
                first <= 1'b1;
                index <= {INDEX{1'b0}};
            end
        end
        if (scan_read) updated_word <= word;
        if (go & updating & last) shown <= charged;
        else if (sum_ready) shown <= shown >> BITS;
        if (sum_valid & sum_ready & ~sum_class & (first | ($signed(sum) > largest))) begin
            largest <= sum;
            best <= index;
        end
    end

    snn_membranes #(
        .LANES(LANES), .BITS(BITS), .ADDRESS(ADDRESS), .WORDS(WORDS), .FORWARD(FORWARD),
        .DIGITS(DIGITS), .PLACE(PLACE)
    ) sums (
        .clk(clk), .rst(rst),
        .beat(beat), .beat_word(beat_word), .delta(delta), .digit(digit),
        .scan_read(scan_read), .scan_word(word), .potential(potential),
        .scan_write(go & updating), .scan_write_word(updated_word),
        .scan_potential(clearing ? {(LANES * BITS){1'b0}} : charged)
    );
endmodule
