// Integrate-and-fire neurons: when all ports of the layer have reached the end of the step, SCAN neurons after SCAN others
// get their bias or input current, are compared with their threshold, fire and are reset. Spikes add to LANES at once:
// SCAN is as many, or 1.
//     V <- V + current;  spike where V >= threshold;  V <- V - threshold (or 0, if RESET_ZERO) where it has fired
// where SATURATE, what remains is then kept from LOW to HIGH. When it may fire, and what a step counts, says `snn_steps`.
// With the marker of a sample's last step the start potentials come back. Takes PLACES + 3 clocks a step, and
// one more for each further spike of a place. Where SILENT, no current reaches it: a step in which it may not fire, but
// the last, is not scanned and takes 1.
// Where LOOKS, potentials become others as the window opens: at the end of the step before, each place in turn waits in
// the scan while it is `opening`, until `opened` says that `opened_potential` is there. SCAN is 1 then. Where LATCHED,
// each neuron has a sum of LATCH bits beside its potential, `opening_count`, which is 0 at the start of a sample.
// `digit` is what a spike that arrives now is shifted by.
module snn_neurons #(
    parameter LANES = 1,
    parameter LANE = 1,
    parameter BITS = 16,
    parameter ADDRESS = 4,
    parameter WORDS = 16,
    parameter SCAN = 1,
    parameter SCANNED = 4,
    parameter [SCANNED-1:0] SCAN_END = 15,
    parameter TURN = 0,
    parameter SILENT = 0,
    parameter LOOKS = 0,
    parameter LATCHED = 0,
    parameter LATCH = 1,
    parameter LATCH_FORWARD = 0,
    parameter FORWARD = 0,
    parameter STEPS = 8,
    parameter WINDOW = 0,
    parameter OPENS = 0,
    parameter CLOSES = 0,
    parameter PRESENTED = 0,
    parameter DIGITS = 0,
    parameter PLACE = 1,
    parameter TURNS = 1,
    parameter [TURNS*PLACE-1:0] TOPS = 0,
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
    // those that are counted beside the potentials
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire                  latch_beat,
    input  wire [ADDRESS-1:0]    latch_word,
    input  wire [LANES*LATCH-1:0] latch_delta,
    /* verilator lint_on UNUSEDSIGNAL */
    // the end of a step
    input  wire                  at_marker,
    input  wire                  at_last,
    output wire                  step,
    // the place that is read, of SCAN neurons: its constants come a clock later
    output wire                  scan_read,
    output wire [SCANNED-1:0]    scan_word,
    input  wire [SCAN*BITS-1:0]  current,
    input  wire [SCAN*BITS-1:0]  later,
    input  wire [SCAN*BITS-1:0]  threshold,
    input  wire [SCAN*BITS-1:0]  start,
    // what becomes of a place as its window opens
    output wire [PLACE-1:0]      digit,
    output wire                  opening,
    output wire [SCAN*BITS-1:0]  opening_potential,
    output wire [LATCH-1:0]      opening_count,
    input  wire                  opened,
    input  wire [SCAN*BITS-1:0]  opened_potential,
    // spikes that leave: `spike_next` follows when the next place's turn comes
    output wire                  spike_next,
    output wire                  spike_valid,
    input  wire                  spike_ready,
    output wire                  spike_marker,
    output wire                  spike_last,
    output reg  [LANE-1:0]       spike_lane,
    output wire                  done
);
    localparam [1:0] EVENTS = 2'd0, ALL = 2'd1, MARK = 2'd2;
    reg [1:0] state;
    reg waking, last, looking, reading, updating, showing;
    reg [SCANNED-1:0] place, updated_place;
    reg [SCAN-1:0] spikes;
    wire [LANES*BITS-1:0] stored, next_word;
    wire [SCAN*BITS-1:0] potential, next_potential;
    wire [SCAN-1:0] fired;
    wire opens, ahead, complete;

    wire [SCAN-1:0] further = spikes & (spikes - 1'b1);
    wire free = (spikes == {SCAN{1'b0}}) | (spike_ready & (further == {SCAN{1'b0}}));
    wire looks = (LOOKS != 0) & ahead & ~at_last;
    wire go = (state == ALL) & free & ~(opening & ~opened);
    assign opening = (state == ALL) & looking & updating;
    assign open = state == EVENTS;
    assign step = open & at_marker;
    assign scan_read = go & reading;
    assign scan_word = place;
    assign spike_next = go & showing;
    assign spike_marker = state == MARK;
    assign spike_valid = spike_marker | (spikes != {SCAN{1'b0}});
    assign spike_last = last;
    assign done = spike_marker & spike_ready & last;

    integer k;
    always @* begin
        spike_lane = {LANE{1'b0}};
        for (k = SCAN - 1; k >= 0; k = k - 1)
            if (spikes[k]) spike_lane = k[LANE-1:0];
    end

    wire [PLACE-1:0] scanned;
    wire fires, given;
    snn_steps #(
        .STEPS(STEPS), .WINDOW(WINDOW), .OPENS(OPENS), .CLOSES(CLOSES), .PRESENTED(PRESENTED),
        .DIGITS(DIGITS), .PLACE(PLACE), .TURNS(TURNS), .TOPS(TOPS)
    ) times (
        .clk(clk), .rst(rst), .step(step), .at_last(at_last),
        .digit(digit), .scanned(scanned), .ahead(ahead), .opens(opens), .fires(fires), .given(given)
    );

    // The word of a place, and whether its last neuron is at its turn.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [ADDRESS+SCANNED-1:0] read_at = {{ADDRESS{1'b0}}, place}, updated_at = {{ADDRESS{1'b0}}, updated_place};
    /* verilator lint_on UNUSEDSIGNAL */
    genvar i;
    generate
        if (SCAN == LANES) begin : whole
            assign potential = stored;
            assign next_word = next_potential;
            assign complete = 1'b1;
        end else begin : in_turn
            wire [TURN-1:0] turn = updated_place[TURN-1:0];
            reg [(LANES-1)*BITS-1:0] earlier;
            // Chosen by comparison: an index of turn * BITS would be a multiplier.
            reg [BITS-1:0] chosen;
            integer n;
            always @* begin
                chosen = stored[BITS-1:0];
                for (n = 1; n < LANES; n = n + 1)
                    if (turn == n[TURN-1:0]) chosen = stored[n*BITS +: BITS];
            end
            assign potential = chosen;
            assign next_word = {next_potential, earlier};
            assign complete = turn == {TURN{1'b1}};
            always @(posedge clk) if (go & updating) earlier <= next_word[LANES*BITS-1:BITS];
        end
        for (i = 0; i < SCAN; i = i + 1) begin : lane
            wire [BITS-1:0] there = given ? current[i*BITS +: BITS] : later[i*BITS +: BITS];
            wire signed [BITS-1:0] charged = potential[i*BITS +: BITS] + (there << scanned);
            wire signed [BITS-1:0] limit = threshold[i*BITS +: BITS] << scanned;
            assign fired[i] = (charged >= limit) & ~waking & fires;
            wire [BITS-1:0] reset = (RESET_ZERO != 0) ? {BITS{1'b0}} : charged - limit;
            wire signed [BITS-1:0] rest = fired[i] ? reset : charged;
            wire [BITS-1:0] kept;
            if (SATURATE != 0) assign kept = (rest < LOW) ? LOW : (rest > HIGH) ? HIGH : rest;
            else assign kept = rest;
            assign opening_potential[i*BITS +: BITS] = kept;
            wire [BITS-1:0] found = looking ? opened_potential[i*BITS +: BITS] : kept;
            assign next_potential[i*BITS +: BITS] = (waking | last) ? start[i*BITS +: BITS] : found;
        end
    endgenerate

    always @(posedge clk) begin
        if (rst) begin
            state <= ALL;
            waking <= 1'b1;
            last <= 1'b0;
            looking <= 1'b0;
            reading <= 1'b1;
            updating <= 1'b0;
            showing <= 1'b0;
            place <= {SCANNED{1'b0}};
            spikes <= {SCAN{1'b0}};
        end else begin
            if (spike_ready) spikes <= further;
            if (step) begin
                state <= ((SILENT != 0) & ~opens & ~looks & ~at_last) ? MARK : ALL;
                last <= at_last;
                looking <= looks;
                reading <= 1'b1;
            end
            if (go) begin
                updating <= reading;
                showing <= updating;
                if (updating) spikes <= fired;
                if (reading) begin
                    place <= (place == SCAN_END) ? {SCANNED{1'b0}} : place + 1'b1;
                    reading <= place != SCAN_END;
                end else if (~updating) begin
                    state <= waking ? EVENTS : MARK;
                    waking <= 1'b0;
                end
            end
            if (spike_marker & spike_ready) state <= EVENTS;
        end
        if (scan_read) updated_place <= place;
    end

    snn_membranes #(
        .LANES(LANES), .BITS(BITS), .ADDRESS(ADDRESS), .WORDS(WORDS), .FORWARD(FORWARD),
        .DIGITS(DIGITS), .PLACE(PLACE)
    ) membranes (
        .clk(clk), .rst(rst),
        .beat(beat), .beat_word(beat_word), .delta(delta), .digit(digit),
        .scan_read(scan_read), .scan_word(read_at[TURN +: ADDRESS]), .potential(stored),
        .scan_write(go & updating & complete), .scan_write_word(updated_at[TURN +: ADDRESS]), .scan_potential(next_word)
    );
    generate
        if (LATCHED != 0) begin : latched
            wire [LANES*LATCH-1:0] counts;
            snn_membranes #(
                .LANES(LANES), .BITS(LATCH), .ADDRESS(ADDRESS), .WORDS(WORDS), .FORWARD(LATCH_FORWARD),
                .DIGITS(DIGITS), .PLACE(PLACE)
            ) sums (
                .clk(clk), .rst(rst),
                .beat(latch_beat), .beat_word(latch_word), .delta(latch_delta), .digit(digit),
                .scan_read(scan_read), .scan_word(read_at[TURN +: ADDRESS]), .potential(counts),
                .scan_write(go & updating & complete & (waking | last)),
                .scan_write_word(updated_at[TURN +: ADDRESS]), .scan_potential({(LANES * LATCH){1'b0}})
            );
            if (LANES == 1) begin : alone
                assign opening_count = counts;
            end else begin : in_turn
                reg [LATCH-1:0] chosen;
                integer n;
                always @* begin
                    chosen = counts[LATCH-1:0];
                    for (n = 1; n < LANES; n = n + 1)
                        if (updated_place[TURN-1:0] == n[TURN-1:0]) chosen = counts[n*LATCH +: LATCH];
                end
                assign opening_count = chosen;
            end
        end else begin : unlatched
            assign opening_count = {LATCH{1'b0}};
        end
    endgenerate
endmodule
