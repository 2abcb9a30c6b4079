// Integrate-and-fire neurons: when all ports of the layer have reached the end of the step, one word of LANES neurons
// after the other gets its bias or input current, is compared with its threshold, fires and is reset.
//     V <- V + current;  spike where V >= threshold;  V <- V - threshold (or 0, if RESET_ZERO) where it has fired
// where SATURATE, what remains is then kept from LOW to HIGH. When it may fire, and what a step counts, says `snn_steps`.
// With the marker of a sample's last step the start potentials come back. Takes WORDS + 3 clocks a step, and
// one more for each further spike of a word.
module snn_neurons #(
    parameter LANES = 1,
    parameter LANE = 1,
    parameter BITS = 16,
    parameter ADDRESS = 4,
    parameter WORDS = 16,
    parameter [ADDRESS-1:0] WORD_END = 15,
    parameter FORWARD = 0,
    parameter STEPS = 8,
    parameter WINDOW = 0,
    parameter OPENS = 0,
    parameter CLOSES = 0,
    parameter PRESENTED = 0,
    parameter DIGITS = 0,
    parameter PLACE = 1,
    parameter [PLACE-1:0] TOP = 0,
    parameter RESET_ZERO = 0,
    parameter SATURATE = 0,
    parameter signed [BITS-1:0] LOW = 0,
    parameter signed [BITS-1:0] HIGH = 0
) (
    input  wire                  clk,
    input  wire                  rst,
    // spikes that arrive
    output wire                  open,
    input  wire                  beat,
    input  wire [ADDRESS-1:0]    beat_word,
    input  wire [LANES*BITS-1:0] delta,
    // the end of a step
    input  wire                  at_marker,
    input  wire                  at_last,
    output wire                  step,
    // the word that is read: its constants come a clock later
    output wire                  scan_read,
    output wire [ADDRESS-1:0]    scan_word,
    input  wire [LANES*BITS-1:0] current,
    input  wire [LANES*BITS-1:0] later,
    input  wire [LANES*BITS-1:0] threshold,
    input  wire [LANES*BITS-1:0] start,
    // spikes that leave: `spike_next` follows when the next word's turn comes
    output wire                  spike_next,
    output wire                  spike_valid,
    input  wire                  spike_ready,
    output wire                  spike_marker,
    output wire                  spike_last,
    output reg  [LANE-1:0]       spike_lane,
    output wire                  done
);
    localparam [1:0] EVENTS = 2'd0, SCAN = 2'd1, MARK = 2'd2;
    reg [1:0] state;
    reg waking, last, reading, updating, showing;
    reg [ADDRESS-1:0] word, updated_word;
    reg [LANES-1:0] spikes;
    wire [LANES*BITS-1:0] potential, next_potential;
    wire [LANES-1:0] fired;

    wire [LANES-1:0] further = spikes & (spikes - 1'b1);
    wire free = (spikes == {LANES{1'b0}}) | (spike_ready & (further == {LANES{1'b0}}));
    wire go = (state == SCAN) & free;
    assign open = state == EVENTS;
    assign step = open & at_marker;
    assign scan_read = go & reading;
    assign scan_word = word;
    assign spike_next = go & showing;
    assign spike_marker = state == MARK;
    assign spike_valid = spike_marker | (spikes != {LANES{1'b0}});
    assign spike_last = last;
    assign done = spike_marker & spike_ready & last;

    integer k;
    always @* begin
        spike_lane = {LANE{1'b0}};
        for (k = LANES - 1; k >= 0; k = k - 1)
            if (spikes[k]) spike_lane = k[LANE-1:0];
    end

    wire [PLACE-1:0] digit, scanned;
    wire fires, given;
    snn_steps #(
        .STEPS(STEPS), .WINDOW(WINDOW), .OPENS(OPENS), .CLOSES(CLOSES), .PRESENTED(PRESENTED),
        .DIGITS(DIGITS), .PLACE(PLACE), .TOP(TOP)
    ) times (
        .clk(clk), .rst(rst), .step(step), .at_last(at_last),
        .digit(digit), .scanned(scanned), .fires(fires), .given(given)
    );

    genvar i;
    generate
        for (i = 0; i < LANES; i = i + 1) begin : lane
            wire [BITS-1:0] there = given ? current[i*BITS +: BITS] : later[i*BITS +: BITS];
            wire signed [BITS-1:0] charged = potential[i*BITS +: BITS] + (there << scanned);
            wire signed [BITS-1:0] limit = threshold[i*BITS +: BITS] << scanned;
            assign fired[i] = (charged >= limit) & ~waking & fires;
            wire [BITS-1:0] reset = (RESET_ZERO != 0) ? {BITS{1'b0}} : charged - limit;
            wire signed [BITS-1:0] rest = fired[i] ? reset : charged;
            wire [BITS-1:0] kept;
            if (SATURATE != 0) assign kept = (rest < LOW) ? LOW : (rest > HIGH) ? HIGH : rest;
            else assign kept = rest;
            assign next_potential[i*BITS +: BITS] = (waking | last) ? start[i*BITS +: BITS] : kept;
        end
    endgenerate

    always @(posedge clk) begin
        if (rst) begin
            state <= SCAN;
            waking <= 1'b1;
            last <= 1'b0;
            reading <= 1'b1;
            updating <= 1'b0;
            showing <= 1'b0;
            word <= {ADDRESS{1'b0}};
            spikes <= {LANES{1'b0}};
        end else begin
            if (spike_ready) spikes <= further;
            if (step) begin
                state <= SCAN;
                last <= at_last;
                reading <= 1'b1;
            end
            if (go) begin
                updating <= reading;
                showing <= updating;
                if (updating) spikes <= fired;
                if (reading) begin
                    word <= (word == WORD_END) ? {ADDRESS{1'b0}} : word + 1'b1;
                    reading <= word != WORD_END;
                end else if (~updating) begin
                    state <= waking ? EVENTS : MARK;
                    waking <= 1'b0;
                end
            end
            if (spike_marker & spike_ready) state <= EVENTS;
        end
        if (scan_read) updated_word <= word;
    end

    snn_membranes #(
        .LANES(LANES), .BITS(BITS), .ADDRESS(ADDRESS), .WORDS(WORDS), .FORWARD(FORWARD),
        .DIGITS(DIGITS), .PLACE(PLACE)
    ) membranes (
        .clk(clk), .rst(rst),
        .beat(beat), .beat_word(beat_word), .delta(delta), .digit(digit),
        .scan_read(scan_read), .scan_word(word), .potential(potential),
        .scan_write(go & updating), .scan_write_word(updated_word), .scan_potential(next_potential)
    );
endmodule
