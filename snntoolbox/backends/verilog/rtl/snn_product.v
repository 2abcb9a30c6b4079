// What a product of counts makes of a potential V, which has summed the one factor: start + V * count, with the sum of
// the other factor. No multiplier: V is added for each binary digit of the count, the highest first, which is a sign.
// `run` stays up to `done`, which stays until `take`. Takes COUNT + 1 clocks.
module snn_product #(
    parameter BITS = 16,
    parameter COUNT = 8,
    parameter LEFT = 3,
    parameter [LEFT-1:0] NEXT = 6
) (
    input  wire             clk,
    input  wire             rst,
    input  wire             run,
    input  wire [BITS-1:0]  potential,
    input  wire [COUNT-1:0] count,
    input  wire [BITS-1:0]  start,
    output wire             done,
    input  wire             take,
    output wire [BITS-1:0]  opened
);
    localparam [1:0] IDLE = 2'd0, ADD = 2'd1, DONE = 2'd2;
    reg [1:0] state;
    reg [LEFT-1:0] left;
    reg [BITS-1:0] sum;
    // Digits above the one whose turn it is are not read.
    /* verilator lint_off UNUSEDSIGNAL */
    wire [COUNT-1:0] from_here = count >> left;
    /* verilator lint_on UNUSEDSIGNAL */
    assign opened = sum + start;
    assign done = state == DONE;
    always @(posedge clk) begin
        if (rst) state <= IDLE;
        else case (state)
            IDLE: if (run) state <= ADD;
            ADD: if (left == {LEFT{1'b0}}) state <= DONE;
            default: if (take) state <= IDLE;
        endcase
        if (state == IDLE) begin
            sum <= count[COUNT-1] ? {BITS{1'b0}} - potential : {BITS{1'b0}};
            left <= NEXT;
        end else if (state == ADD) begin
            sum <= (sum << 1) + (from_here[0] ? potential : {BITS{1'b0}});
            left <= left - 1'b1;
        end
    end
endmodule
