// The time of a layer. WINDOW: it may fire in the steps from OPENS to before CLOSES, counted from 0. PRESENTED: its
// current is `given` in so many first steps alone (0: in all). DIGITS: steps are binary digits, from TOPS down
// to 0, the number by which what happens in them is shifted; in TURNS windows one behind the other, each from its own.
// `digit`, `opens` and `ahead` (the window opens behind this step) belong to the spikes that arrive, `scanned`, `fires`
// and `given` to the step that has just ended.
module snn_steps #(
    parameter STEPS = 8,
    parameter WINDOW = 0,
    parameter OPENS = 0,
    parameter CLOSES = 0,
    parameter PRESENTED = 0,
    parameter DIGITS = 0,
    parameter PLACE = 1,
    parameter TURNS = 1,
    parameter [TURNS*PLACE-1:0] TOPS = 0
) (
    // Where steps are all alike nothing is counted.
    /* verilator lint_off UNUSEDSIGNAL */
    input  wire             clk,
    input  wire             rst,
    input  wire             step,
    input  wire             at_last,
    /* verilator lint_on UNUSEDSIGNAL */
    output wire [PLACE-1:0] digit,
    output wire [PLACE-1:0] scanned,
    output wire             ahead,
    output wire             opens,
    output wire             fires,
    output wire             given
);
    generate
        if ((WINDOW != 0) | (PRESENTED != 0)) begin : counted
            reg [STEPS-1:0] now;
            wire [31:0] number = {{(32 - STEPS){1'b0}}, now};
            always @(posedge clk)
                if (rst) now <= {STEPS{1'b0}};
                else if (step) now <= at_last ? {STEPS{1'b0}} : now + 1'b1;
            if (WINDOW != 0) begin : window
                reg open;
                // A window may begin with the first step.
                /* verilator lint_off UNSIGNED */
                assign opens = (number >= OPENS) & (number < CLOSES);
                /* verilator lint_on UNSIGNED */
                assign ahead = number + 32'd1 == OPENS;
                always @(posedge clk) if (step) open <= opens;
                assign fires = open;
            end else begin : open_always
                assign ahead = 1'b0;
                assign opens = 1'b1;
                assign fires = 1'b1;
            end
            if (PRESENTED != 0) begin : first_steps
                reg there;
                always @(posedge clk) if (step) there <= number < PRESENTED;
                assign given = there;
            end else begin : all_steps
                assign given = 1'b1;
            end
        end else begin : always_there
            assign ahead = 1'b0;
            assign opens = 1'b1;
            assign fires = 1'b1;
            assign given = 1'b1;
        end
        if (DIGITS != 0) begin : shifted
            reg [PLACE-1:0] arriving, ended;
            wire over = at_last | (arriving == {PLACE{1'b0}});
            wire [PLACE-1:0] top;
            always @(posedge clk) begin
                if (rst) arriving <= TOPS[PLACE-1:0];
                else if (step) arriving <= over ? top : arriving - 1'b1;
                if (step) ended <= arriving;
            end
            if (TURNS != 1) begin : several
                reg [TURNS*PLACE-1:0] coming;
                always @(posedge clk)
                    if (rst) coming <= TOPS;
                    else if (step & over) coming <= at_last ? TOPS : coming >> PLACE;
                assign top = at_last ? TOPS[PLACE-1:0] : coming[2*PLACE-1:PLACE];
            end else begin : alike
                assign top = TOPS[PLACE-1:0];
            end
            assign digit = arriving;
            assign scanned = ended;
        end else begin : once
            assign digit = TOPS[PLACE-1:0];
            assign scanned = TOPS[PLACE-1:0];
        end
    endgenerate
endmodule
